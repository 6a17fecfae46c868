// SPDX-License-Identifier: Apache-2.0
//
// A line that a person types at the foot of the screen, with completion of words from a list. A value.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "client/top/key.h"

namespace taskmon::client::top {

class Prompt {
 public:
  enum class Kind { kNone, kFilter, kJump, kSort, kCommand };
  enum class Outcome { kOpen, kEntered, kCancelled };

  Prompt() = default;
  // `words` are what Tab completes, sorted.
  Prompt(Kind kind, std::string text, std::vector<std::string> words);

  Outcome Press(const Key& key);
  // Other words for Tab, where they depend on what is typed. Those that Tab has found stay until the next key.
  void Offer(std::vector<std::string> words) { words_ = std::move(words); }

  Kind kind() const { return kind_; }
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }  // bytes before it
  // The words that the one before the cursor may become; empty unless Tab was the last key.
  const std::vector<std::string>& candidates() const { return candidates_; }
  size_t chosen() const { return chosen_; }  // of them; their number: none yet
  std::string error;                         // why it was not accepted

 private:
  size_t WordStart() const;
  void Insert(char32_t ch);
  void Complete();
  void ReplaceWord(const std::string& word);
  void StepBack();
  void StepForward();

  Kind kind_ = Kind::kNone;
  std::string text_;
  size_t cursor_ = 0;
  std::vector<std::string> words_;
  std::vector<std::string> candidates_;
  size_t chosen_ = 0;
};

// UTF-8 of one character; empty where it is none.
std::string Utf8(char32_t ch);

}  // namespace taskmon::client::top
