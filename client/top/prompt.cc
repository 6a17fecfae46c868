// SPDX-License-Identifier: Apache-2.0
#include "client/top/prompt.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace taskmon::client::top {
namespace {

constexpr size_t kLongest = 4096;

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsInside(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }  // of a UTF-8 sequence

std::string CommonBeginning(const std::vector<std::string>& words) {
  std::string common = words.front();
  for (const std::string& word : words) {
    size_t same = 0;
    while (same < common.size() && same < word.size() && common[same] == word[same]) ++same;
    common.resize(same);
  }
  return common;
}

}  // namespace

std::string Utf8(char32_t ch) {
  const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
  if (ch < 0x80) return {byte(ch)};
  if (ch < 0x800) return {byte(0xc0 | ch >> 6), byte(0x80 | (ch & 0x3f))};
  if (ch >= 0xd800 && ch < 0xe000) return "";
  if (ch < 0x10000) return {byte(0xe0 | ch >> 12), byte(0x80 | (ch >> 6 & 0x3f)), byte(0x80 | (ch & 0x3f))};
  if (ch > 0x10ffff) return "";
  return {byte(0xf0 | ch >> 18), byte(0x80 | (ch >> 12 & 0x3f)), byte(0x80 | (ch >> 6 & 0x3f)),
          byte(0x80 | (ch & 0x3f))};
}

Prompt::Prompt(Kind kind, std::string text, std::vector<std::string> words)
    : kind_(kind), text_(std::move(text)), cursor_(text_.size()), words_(std::move(words)) {}

size_t Prompt::WordStart() const {
  size_t start = cursor_;
  while (start > 0 && IsWord(text_[start - 1])) --start;
  return start;
}

void Prompt::Insert(char32_t ch) {
  const std::string bytes = Utf8(ch);
  if (text_.size() + bytes.size() > kLongest) return;
  text_.insert(cursor_, bytes);
  cursor_ += bytes.size();
}

void Prompt::ReplaceWord(const std::string& word) {
  const size_t start = WordStart();
  text_.replace(start, cursor_ - start, word);
  cursor_ = start + word.size();
}

// The first Tab completes as far as all agree, further ones go through them.
void Prompt::Complete() {
  if (!candidates_.empty()) {
    chosen_ = (chosen_ + 1) % (candidates_.size() + 1);
    if (chosen_ == candidates_.size()) chosen_ = 0;
    return ReplaceWord(candidates_[chosen_]);
  }
  const std::string word = text_.substr(WordStart(), cursor_ - WordStart());
  for (const std::string& each : words_) {
    if (each.starts_with(word)) candidates_.push_back(each);
  }
  chosen_ = candidates_.size();
  if (candidates_.empty()) return;
  ReplaceWord(CommonBeginning(candidates_));
  if (candidates_.size() == 1) candidates_.clear();
}

void Prompt::StepBack() {
  if (cursor_ == 0) return;
  --cursor_;
  while (cursor_ > 0 && IsInside(text_[cursor_])) --cursor_;
}

void Prompt::StepForward() {
  if (cursor_ < text_.size()) ++cursor_;
  while (cursor_ < text_.size() && IsInside(text_[cursor_])) ++cursor_;
}

Prompt::Outcome Prompt::Press(const Key& key) {
  if (key.code != KeyCode::kTab) candidates_.clear();
  const size_t before = cursor_;
  switch (key.code) {
    case KeyCode::kEnter: return Outcome::kEntered;
    case KeyCode::kEscape: return Outcome::kCancelled;
    case KeyCode::kTab: Complete(); break;
    case KeyCode::kLeft: StepBack(); break;
    case KeyCode::kRight: StepForward(); break;
    case KeyCode::kHome: cursor_ = 0; break;
    case KeyCode::kEnd: cursor_ = text_.size(); break;
    case KeyCode::kBackspace:
      StepBack();
      text_.erase(cursor_, before - cursor_);
      break;
    case KeyCode::kDelete:
      StepForward();
      text_.erase(before, cursor_ - before);
      cursor_ = before;
      break;
    case KeyCode::kChar:
      if (key.ch == Control('u')) text_.erase(0, std::exchange(cursor_, 0));
      if (key.ch == Control('a')) cursor_ = 0;
      if (key.ch == Control('e')) cursor_ = text_.size();
      if (key.ch == Control('c') || key.ch == Control('g')) return Outcome::kCancelled;
      if (key.ch >= 0x20 && key.ch != 0x7f) Insert(key.ch);
      break;
    default: return Outcome::kOpen;
  }
  error.clear();
  return Outcome::kOpen;
}

}  // namespace taskmon::client::top
