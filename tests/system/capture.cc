// SPDX-License-Identifier: Apache-2.0
#include "system/capture.h"

#include <algorithm>
#include <utility>

namespace drumbeat::system {

void Capture::Push(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  lines_.push_back({.text = std::string(text), .time = Clock::now()});
}

void Capture::Append(std::string_view bytes) {
  const base::MutexLock lock(mutex_);
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    rest_ += bytes.substr(0, end);
    Push(std::exchange(rest_, {}));
    bytes.remove_prefix(end + 1);
  }
  rest_ += bytes;
  changed_.NotifyAll();
}

void Capture::Close() {
  const base::MutexLock lock(mutex_);
  if (!rest_.empty()) Push(std::exchange(rest_, {}));
  closed_ = true;
  changed_.NotifyAll();
}

std::size_t Capture::Mark() const {
  const base::MutexLock lock(mutex_);
  return lines_.size();
}

std::vector<Line> Capture::Lines(std::size_t from) const {
  const base::MutexLock lock(mutex_);
  if (from >= lines_.size()) return {};
  return {lines_.begin() + static_cast<std::ptrdiff_t>(from), lines_.end()};
}

std::string Capture::Text(std::size_t from) const {
  std::string text;
  for (const Line& line : Lines(from)) text += line.text + '\n';
  return text;
}

std::string Capture::Tail() const {
  constexpr std::size_t kLines = 30;
  const std::size_t mark = Mark();
  return Text(mark - std::min(mark, kLines));
}

std::optional<Line> Capture::Await(const Predicate& wanted, std::chrono::milliseconds limit,
                                   std::size_t from) const {
  const base::MutexLock lock(mutex_);
  // Each line is shown to `wanted` once, so that it may count.
  std::size_t next = from;
  const auto found = [&] {
    while (next < lines_.size() && !wanted(lines_[next].text)) ++next;
    return next < lines_.size();
  };
  changed_.WaitFor(mutex_, limit, [&] { return found() || closed_; });
  if (next >= lines_.size()) return std::nullopt;
  return lines_[next];
}

std::optional<Line> Capture::Await(std::string_view part, std::chrono::milliseconds limit,
                                   std::size_t from) const {
  return Await([part](const std::string& line) { return line.find(part) != std::string::npos; },
               limit, from);
}

bool Capture::AwaitClose(std::chrono::milliseconds limit) const {
  const base::MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, limit, [&] { return closed_; });
}

bool Capture::Contains(std::string_view part, std::size_t from) const {
  return Count(part, from) > 0;
}

std::size_t Capture::Count(std::string_view part, std::size_t from) const {
  std::size_t count = 0;
  for (const Line& line : Lines(from)) {
    if (line.text.find(part) != std::string::npos) ++count;
  }
  return count;
}

}  // namespace drumbeat::system
