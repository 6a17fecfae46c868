// SPDX-License-Identifier: Apache-2.0
#include "storage/codec.h"

#include <algorithm>
#include <bit>
#include <memory>

#include <fmt/format.h>
#include <zstd.h>

namespace taskmon::storage {
namespace {

enum Encoding : uint8_t { kEqual = 0, kPlain = 1, kDelta = 2 };

// Small blocks gain nothing that their frame header would not eat.
constexpr size_t kMinCompressBytes = 48;

// The encoding and the shift share one byte.
uint8_t Header(Encoding encoding, int shift) { return static_cast<uint8_t>(encoding | shift << 3); }
constexpr int kMaxShift = 31;

int CommonShift(uint64_t all_bits) { return all_bits == 0 ? 0 : std::min(std::countr_zero(all_bits), kMaxShift); }

struct FreeCompress {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};
struct FreeDecompress {
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};

ZSTD_CCtx* CompressContext() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeCompress> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* DecompressContext() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompress> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

size_t VarintSize(uint64_t v) { return (static_cast<size_t>(std::bit_width(v | 1)) + 6) / 7; }

void ByteWriter::Varint(uint64_t v) {
  if (v < 0x80) return Byte(static_cast<uint8_t>(v));
  char bytes[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) bytes[n++] = static_cast<char>(v | 0x80);
  bytes[n++] = static_cast<char>(v);
  out_.append(bytes, n);
}

void ByteWriter::Sized(std::string_view bytes) {
  Varint(bytes.size());
  out_.append(bytes);
}

uint8_t ByteReader::Byte() {
  if (p_ == end_) {
    Fail();
    return 0;
  }
  return static_cast<uint8_t>(*p_++);
}

uint64_t ByteReader::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (p_ == end_) break;
    const uint8_t byte = static_cast<uint8_t>(*p_++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Fail();
  return 0;
}

std::string_view ByteReader::Bytes(size_t n) {
  if (n > left()) {
    Fail();
    return {};
  }
  std::string_view bytes(p_, n);
  p_ += n;
  return bytes;
}

size_t ByteReader::Count(size_t max) {
  const uint64_t n = Varint();
  if (n <= max) return n;
  Fail();
  return 0;
}

absl::Status Damaged(std::string_view what) { return absl::DataLossError(fmt::format("damaged history: {}", what)); }

MetricBits MetricBits::Of(const MetricSet& set) {
  static const MetricSet low64(~0ull);
  return {{(set & low64).to_ullong(), (set >> 64).to_ullong()}};
}

MetricSet MetricBits::ToSet() const { return MetricSet(word[0]) | MetricSet(word[1]) << 64; }

void PutMetricBits(const MetricBits& bits, ByteWriter* out) {
  const int width = bits.word[1] != 0 ? 64 + std::bit_width(bits.word[1]) : std::bit_width(bits.word[0]);
  const size_t count = (static_cast<size_t>(width) + 7) / 8;
  char bytes[1 + MetricBits::kBits / 8];
  bytes[0] = static_cast<char>(count);
  for (size_t i = 0; i < count; ++i) bytes[1 + i] = static_cast<char>(bits.word[i / 8] >> (i % 8 * 8));
  out->Bytes({bytes, 1 + count});
}

MetricBits GetMetricBits(ByteReader* in) {
  MetricBits bits;
  const std::string_view bytes = in->Bytes(in->Count(MetricBits::kBits / 8));
  for (size_t i = 0; i < bytes.size(); ++i) {
    bits.word[i / 8] |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (i % 8 * 8);
  }
  return bits;
}

void PutNumbers(const std::vector<int64_t>& numbers, ByteWriter* out) {
  uint64_t all_bits = 0;
  bool equal = true;
  for (int64_t v : numbers) {
    all_bits |= static_cast<uint64_t>(v);
    equal = equal && v == numbers.front();
  }
  if (equal) {
    out->Byte(Header(kEqual, 0));
    out->Signed(numbers.empty() ? 0 : numbers.front());
    return;
  }
  const int shift = CommonShift(all_bits);
  size_t plain = 0, delta = 0;
  int64_t before = 0;
  for (int64_t v : numbers) {
    plain += VarintSize(ZigZag(v >> shift));
    delta += VarintSize(ZigZag(WrapSub(v >> shift, before)));
    before = v >> shift;
  }
  const Encoding encoding = delta < plain ? kDelta : kPlain;
  out->Byte(Header(encoding, shift));
  before = 0;
  for (int64_t v : numbers) {
    out->Signed(encoding == kDelta ? WrapSub(v >> shift, before) : v >> shift);
    before = v >> shift;
  }
}

bool GetNumbers(size_t count, ByteReader* in, std::vector<int64_t>* numbers) {
  const uint8_t header = in->Byte();
  const int shift = header >> 3;
  const int encoding = header & 7;
  if (encoding == kEqual) {
    numbers->assign(count, in->Signed());
    return in->ok();
  }
  if ((encoding != kPlain && encoding != kDelta) || count > in->left()) in->Fail();
  if (!in->ok()) return false;
  numbers->resize(count);
  int64_t before = 0;
  for (int64_t& v : *numbers) {
    before = encoding == kDelta ? WrapAdd(before, in->Signed()) : in->Signed();
    v = ShiftLeft(before, shift);
  }
  return in->ok();
}

std::string EncodeFrame(std::string_view raw, int level) {
  std::string out(1, '\0');
  if (raw.size() >= kMinCompressBytes) {
    ZSTD_CCtx* context = CompressContext();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    out.resize(1 + ZSTD_compressBound(raw.size()));
    const size_t size = ZSTD_compress2(context, out.data() + 1, out.size() - 1, raw.data(), raw.size());
    if (!ZSTD_isError(size) && size < raw.size()) {
      out[0] = 1;
      out.resize(1 + size);
      return out;
    }
    out[0] = 0;
    out.resize(1);
  }
  out.append(raw);
  return out;
}

absl::StatusOr<std::string> DecodeFrame(std::string_view frame) {
  if (frame.empty()) return Damaged("empty frame");
  const std::string_view body = frame.substr(1);
  if (frame[0] == 0) return std::string(body);
  if (frame[0] != 1) return Damaged("unknown frame kind");
  const unsigned long long size = ZSTD_getFrameContentSize(body.data(), body.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return Damaged("bad frame header");
  if (size > kMaxFrameBytes) return Damaged("frame too large");
  std::string raw(size, '\0');
  const size_t got = ZSTD_decompressDCtx(DecompressContext(), raw.data(), raw.size(), body.data(), body.size());
  if (ZSTD_isError(got) || got != size) return Damaged("frame does not unpack");
  return raw;
}

}  // namespace taskmon::storage
