// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/storage/faulty_disk.h"

#include <sqlite3.h>

namespace taskmon::storage {
namespace {

using Call = FaultyDisk::Call;

struct Plan {
  Call call = Call::kOpen;
  uint64_t first = 0;  // 0: nothing fails
  uint64_t last = 0;
  uint64_t seen = 0;
  uint64_t faults = 0;
};
Plan g_plan;

bool Fails(Call call) {
  if (g_plan.first == 0 || call != g_plan.call) return false;
  ++g_plan.seen;
  if (g_plan.seen < g_plan.first || g_plan.seen > g_plan.last) return false;
  ++g_plan.faults;
  return true;
}

// SQLite gives us szOsFile bytes: ours first, the real VFS's behind.
struct File {
  alignas(16) sqlite3_file base;
};

sqlite3_vfs* g_real = nullptr;

sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
}

int Close(sqlite3_file* file) { return Real(file)->pMethods->xClose(Real(file)); }
int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  return Fails(Call::kRead) ? SQLITE_IOERR_READ : Real(file)->pMethods->xRead(Real(file), to, bytes, at);
}
// A write that fails may have been done in part.
int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  if (!Fails(Call::kWrite)) return Real(file)->pMethods->xWrite(Real(file), from, bytes, at);
  (void)Real(file)->pMethods->xWrite(Real(file), from, bytes / 2, at);
  return SQLITE_IOERR_WRITE;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Fails(Call::kTruncate) ? SQLITE_IOERR_TRUNCATE : Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file*, int) { return Fails(Call::kSync) ? SQLITE_IOERR_FSYNC : SQLITE_OK; }
int FileSize(sqlite3_file* file, sqlite3_int64* size) { return Real(file)->pMethods->xFileSize(Real(file), size); }
int Lock(sqlite3_file* file, int lock) { return Real(file)->pMethods->xLock(Real(file), lock); }
int Unlock(sqlite3_file* file, int lock) { return Real(file)->pMethods->xUnlock(Real(file), lock); }
int CheckReserved(sqlite3_file* file, int* out) { return Real(file)->pMethods->xCheckReservedLock(Real(file), out); }
int FileControl(sqlite3_file* file, int op, void* arg) {
  return Real(file)->pMethods->xFileControl(Real(file), op, arg);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) { return Real(file)->pMethods->xDeviceCharacteristics(Real(file)); }
int ShmMap(sqlite3_file* file, int page, int bytes, int extend, void volatile** out) {
  return Fails(Call::kMapShared) ? SQLITE_IOERR_SHMMAP
                                 : Real(file)->pMethods->xShmMap(Real(file), page, bytes, extend, out);
}
int ShmLock(sqlite3_file* file, int at, int n, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), at, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) { return Real(file)->pMethods->xShmUnmap(Real(file), remove); }

constexpr sqlite3_io_methods kMethods = {.iVersion = 2,  // without memory-mapped pages, which no call would show
                                         .xClose = Close,
                                         .xRead = Read,
                                         .xWrite = Write,
                                         .xTruncate = Truncate,
                                         .xSync = Sync,
                                         .xFileSize = FileSize,
                                         .xLock = Lock,
                                         .xUnlock = Unlock,
                                         .xCheckReservedLock = CheckReserved,
                                         .xFileControl = FileControl,
                                         .xSectorSize = SectorSize,
                                         .xDeviceCharacteristics = Characteristics,
                                         .xShmMap = ShmMap,
                                         .xShmLock = ShmLock,
                                         .xShmBarrier = ShmBarrier,
                                         .xShmUnmap = ShmUnmap,
                                         .xFetch = nullptr,
                                         .xUnfetch = nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (Fails(Call::kOpen)) return SQLITE_CANTOPEN;
  const int code = g_real->xOpen(g_real, name, Real(file), flags, out_flags);
  if (Real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}
int Delete(sqlite3_vfs*, const char* name, int sync) {
  return Fails(Call::kDelete) ? SQLITE_IOERR_DELETE : g_real->xDelete(g_real, name, sync);
}

sqlite3_vfs g_vfs;

}  // namespace

FaultyDisk::FaultyDisk() {
  g_plan = {};
  g_real = sqlite3_vfs_find(nullptr);
  g_vfs = *g_real;
  g_vfs.zName = "faulty";
  g_vfs.szOsFile = static_cast<int>(sizeof(File)) + g_real->szOsFile;
  g_vfs.xOpen = Open;
  g_vfs.xDelete = Delete;
  sqlite3_vfs_register(&g_vfs, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&g_vfs);
  sqlite3_vfs_register(g_real, 1);
}

void FaultyDisk::Fail(Call call, uint64_t n, uint64_t more) { g_plan = {.call = call, .first = n, .last = n + more}; }
void FaultyDisk::Mend() { g_plan.first = 0; }
uint64_t FaultyDisk::faults() const { return g_plan.faults; }

std::string FaultyDisk::Name(Call call) {
  constexpr const char* kNames[] = {"open", "read", "write", "sync", "truncate", "map of shared memory", "delete"};
  return kNames[static_cast<int>(call)];
}

}  // namespace taskmon::storage
