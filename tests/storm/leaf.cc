// SPDX-License-Identifier: Apache-2.0
//
// The shortest life of a program: it has no library, and ends with its first instruction.
extern "C" [[noreturn]] void _start() {
#if defined(__x86_64__)
  asm volatile("mov $231, %eax\n\txor %edi, %edi\n\tsyscall");  // exit_group(0)
#elif defined(__aarch64__)
  asm volatile("mov x8, #94\n\tmov x0, #0\n\tsvc #0");
#else
#error "add exit_group(0) for this machine"
#endif
  __builtin_unreachable();
}
