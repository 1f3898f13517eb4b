// SPDX-License-Identifier: Apache-2.0
#include "storage/witness.h"

#include <algorithm>
#include <utility>

#include "base/byte_coding.h"

namespace drumbeat::storage {
namespace {

constexpr std::size_t kLineBytes = 6 * 8 + 1;
constexpr unsigned kBootstrapped = 1;
constexpr unsigned kRemoved = 2;

std::string Encode(const Witness::Lines& lines) {
  std::string bytes;
  bytes.reserve(lines.size() * kLineBytes);
  for (const auto& [replica, line] : lines) {
    if (line == WitnessLine{}) continue;
    base::AppendLittle(bytes, replica.shard.value());
    base::AppendLittle(bytes, replica.replica.value());
    base::AppendLittle(bytes, line.term.value());
    base::AppendLittle(bytes, line.vote.value());
    base::AppendLittle(bytes, line.last.value());
    base::AppendLittle(bytes, line.image.value());
    bytes.push_back(
        static_cast<char>((line.bootstrapped ? kBootstrapped : 0) | (line.removed ? kRemoved : 0)));
  }
  return bytes;
}

std::optional<Witness::Lines> Decode(std::string_view bytes) {
  if (bytes.size() % kLineBytes != 0) return std::nullopt;
  Witness::Lines lines;
  base::ByteReader reader(bytes);
  while (!reader.done()) {
    const auto shard = ShardId(reader.Little<std::uint64_t>());
    const auto replica = ReplicaId(reader.Little<std::uint64_t>());
    WitnessLine& line = lines[{shard, replica}];
    line.term = Term(reader.Little<std::uint64_t>());
    line.vote = ReplicaId(reader.Little<std::uint64_t>());
    line.last = Index(reader.Little<std::uint64_t>());
    line.image = Index(reader.Little<std::uint64_t>());
    const auto flags = reader.Little<std::uint8_t>();
    line.bootstrapped = (flags & kBootstrapped) != 0;
    line.removed = (flags & kRemoved) != 0;
  }
  return lines;
}

bool DifferBeyondLast(WitnessLine a, const WitnessLine& b) {
  a.last = b.last;
  return a != b;
}

WitnessLine With(WitnessLine line, const Witness::Note& note) {
  if (note.log) {
    line.term = note.log->term;
    line.vote = note.log->vote;
    line.last = note.log->last;
  }
  line.image = note.image.value_or(line.image);
  line.bootstrapped = note.bootstrapped.value_or(line.bootstrapped);
  line.removed = note.removed.value_or(line.removed);
  return line;
}

}  // namespace

Witness::Witness(std::unique_ptr<SlotFile> file, Clock clock)
    : clock_(std::move(clock)), last_write_(clock_()), file_(std::move(file)) {}

Result<std::unique_ptr<Witness>> Witness::Open(std::unique_ptr<SlotFile> file, Clock clock) {
  std::optional<Lines> lines = Decode(file->content());
  if (!lines) return Fail(ErrorCode::kDamaged, "the witness file is damaged");
  std::unique_ptr<Witness> witness(new Witness(std::move(file), std::move(clock)));
  witness->lines_ = std::move(*lines);
  return witness;
}

Witness::~Witness() {
  if (indexes_pending_) (void)WriteIfIdle();
}

Witness::Lines Witness::lines() const {
  const base::MutexLock lock(mutex_);
  return lines_;
}

Witness::Lines Witness::LinesOf(ShardId shard) const {
  const base::MutexLock lock(mutex_);
  const auto first = lines_.lower_bound({shard, ReplicaId(0)});
  return {first, std::find_if(first, lines_.end(),
                              [&](const auto& line) { return line.first.shard != shard; })};
}

WitnessLine Witness::Line(const ReplicaRef& replica) const {
  const base::MutexLock lock(mutex_);
  const auto found = lines_.find(replica);
  return found == lines_.end() ? WitnessLine{} : found->second;
}

Result<void> Witness::Raise(std::span<const Note> notes) {
  std::uint64_t must_write = 0;
  bool period_over = false;
  {
    const base::MutexLock lock(mutex_);
    for (const Note& note : notes) {
      WitnessLine& line = lines_[note.replica];
      WitnessLine changed = With(line, note);
      // Two images may become durable in one order and be noted in the other.
      changed.image = std::max(changed.image, line.image);
      if (line == changed) continue;
      if (DifferBeyondLast(line, changed)) must_write = ++generation_;
      line = changed;
      indexes_pending_ = true;
    }
    period_over = indexes_pending_ && clock_() - last_write_ >= kPeriod;
  }
  if (must_write != 0) return WriteOut(must_write);
  return period_over ? WriteIfIdle() : Result<void>();
}

Result<void> Witness::Lower(std::span<const Note> notes) {
  std::uint64_t generation = 0;
  {
    const base::MutexLock lock(mutex_);
    generation = ++generation_;
    for (const Note& note : notes) {
      WitnessLine& line = lines_[note.replica];
      line = With(line, note);
    }
  }
  return WriteOut(generation);
}

Result<void> Witness::WriteOut(std::uint64_t generation) {
  const base::MutexLock writing(writing_);
  {
    const base::MutexLock lock(mutex_);
    if (written_generation_ >= generation) return {};
  }
  return WriteLocked();
}

Result<void> Witness::WriteIfIdle() {
  if (!writing_.try_lock()) return {};
  const Result<void> written = WriteLocked();
  writing_.unlock();
  return written;
}

Result<void> Witness::WriteLocked() {
  std::string content;
  std::uint64_t generation = 0;
  {
    const base::MutexLock lock(mutex_);
    content = Encode(lines_);
    generation = generation_;
    indexes_pending_ = false;
    last_write_ = clock_();
  }
  if (Result<void> written = file_->Write(content); !written) return written;
  const base::MutexLock lock(mutex_);
  written_generation_ = generation;
  return {};
}

}  // namespace drumbeat::storage
