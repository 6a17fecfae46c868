// SPDX-License-Identifier: Apache-2.0
//
// A program that stands in for another: copied to that one's name and started with its arguments, it does nothing but
// wait for the end of its input. With "--burn" as its first argument it burns CPU in two threads for as long as that.
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

int main(int argc, char** argv) {
  std::atomic<bool> over = false;
  std::thread burner;
  const bool burn = argc > 1 && std::strcmp(argv[1], "--burn") == 0;
  char byte = 0;
  if (burn) {
    burner = std::thread([&over] {
      while (!over) {
      }
    });
  }
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  over = true;
  if (burner.joinable()) burner.join();
  return 0;
}
