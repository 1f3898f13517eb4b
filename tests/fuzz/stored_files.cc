// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/crc.h"
#include "codec/records.h"
#include "fuzz/input.h"
#include "fuzz/log_file.h"
#include "fuzz/targets.h"
#include "storage/entry_record.h"
#include "storage/folder_identity.h"
#include "storage/image_record.h"
#include "storage/keys.h"
#include "storage/replica_log.h"
#include "storage/sealed_value.h"
#include "storage/slot_file.h"
#include "storage/wal_scan.h"
#include "storage/witness.h"

namespace drumbeat::fuzz {
namespace {

using storage::LogVerdict;

storage::LogJudgement Judge(std::string_view bytes) {
  LogBytes blocks(bytes);
  return *storage::JudgeLog(blocks);
}

std::string CheckAnyLog(std::string_view bytes) {
  const storage::LogJudgement judged = Judge(bytes);
  if (judged.file_bytes != bytes.size()) return "the length of a log";
  if (judged.intact_bytes > bytes.size()) return "more of a log is whole than there is";
  if (judged.verdict == LogVerdict::kIntact) return {};
  if (judged.bad_at > bytes.size()) return "trouble is found in the log";
  // What a torn log is cut to must be a log.
  const storage::LogJudgement cut = Judge(bytes.substr(0, judged.intact_bytes));
  if (cut.verdict != LogVerdict::kIntact || cut.intact_bytes != judged.intact_bytes) {
    return "a torn log is whole when it is cut";
  }
  return {};
}

/// Logs that are right but for one thing, whose verdict is known.
std::string CheckLog(Input& input) {
  LogWriter log;
  for (int left = 1 + input.Below(6); left > 0; --left) {
    const std::size_t length = std::size_t{input.Byte()} << input.Below(10);
    log.Add(std::string(length, static_cast<char>('A' + input.Below(26))));
  }
  const std::string& bytes = log.bytes();
  const storage::LogJudgement whole = Judge(bytes);
  if (whole.verdict != LogVerdict::kIntact || whole.intact_bytes != bytes.size()) {
    return "a whole log is whole";
  }
  const std::size_t at = input.Number() % bytes.size();
  const storage::LogJudgement cut = Judge(std::string_view(bytes).substr(0, at));
  if (cut.verdict == LogVerdict::kDamaged) return "a log that ends early is not damaged";
  if (cut.intact_bytes != log.EndOfLastRecordBefore(at) && cut.verdict == LogVerdict::kTorn) {
    return "a torn log is cut behind its last whole record";
  }
  if (log.IsPadding(at)) return {};
  std::string flipped = bytes;
  flipped[at] ^= static_cast<char>(1 << input.Below(8));
  return Judge(flipped).verdict == LogVerdict::kDamaged ? std::string() : "a flipped bit is damage";
}

/// A slot file that holds what it is given.
class Slot : public storage::SlotFile {
 public:
  explicit Slot(std::shared_ptr<std::string> content) : content_(std::move(content)) {}
  const std::string& content() const override { return *content_; }
  Result<void> Write(std::string_view content) override {
    *content_ = content;
    return {};
  }

 private:
  std::shared_ptr<std::string> content_;
};

std::string CheckWitness(std::string_view bytes) {
  const auto content = std::make_shared<std::string>(bytes);
  const auto open = [&] {
    return storage::Witness::Open(std::make_unique<Slot>(content),
                                  [] { return std::chrono::steady_clock::time_point(); });
  };
  const auto witness = open();
  if (!witness) return {};
  storage::Witness::Lines lines = (*witness)->lines();
  if (!(*witness)->Lower({})) return "a witness can be written";
  const auto again = open();
  if (!again) return "a witness comes back";
  // A line that says nothing is not written.
  std::erase_if(lines, [](const auto& line) { return line.second == storage::WitnessLine(); });
  return (*again)->lines() == lines ? std::string() : "a witness comes back";
}

std::string WithChecksum(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::uint32_t crc = base::Crc32c(text);
  std::string line = "crc32c: ";
  for (int shift = 28; shift >= 0; shift -= 4) line.push_back(kDigits[(crc >> shift) & 15]);
  return std::string(text) + line + "\n";
}

std::string CheckIdentity(std::string_view text) {
  const auto record = storage::DecodeIdentity("IDENTITY", text);
  if (!record) return {};
  const auto again = storage::DecodeIdentity("IDENTITY", storage::EncodeIdentity(*record));
  if (!again || again->host_id != record->host_id) return "an identity comes back";
  return storage::CompareIdentity("IDENTITY", again->identity, record->identity)
             ? std::string()
             : "an identity comes back";
}

std::string Sealed(std::string_view key, std::string_view body) {
  std::string value;
  storage::BeginValue(value);
  value += body;
  storage::SealValue(value, key);
  return value;
}

/// Values whose checksum is right and whose content is anything.
std::string CheckValues(std::string_view body) {
  const std::string key(body.substr(0, 5));
  const std::string value = Sealed(key, body);
  if (const auto state = storage::DecodeLogState(key, value)) {
    std::string again;
    storage::EncodeLogState(again, key, *state);
    if (again != value) return "a log state comes back";
  }
  (void)storage::DecodeImageRecord(key, value);
  const base::Bytes shared = base::Bytes::Copy(value);
  const auto record = storage::CheckRecord(key, shared.view());
  if (!record) return {};
  std::vector<raft::Entry> entries;
  std::uint64_t size = 0;
  const Index first(1);
  const Index end = first + std::min<std::uint64_t>(record->count, 1000);
  const auto unpacked =
      storage::UnpackEntries(shared, *record, first, first, end, 1u << 20, size, entries);
  if (!unpacked || !*unpacked) return {};
  return entries.size() == end - first ? std::string() : "a record has as many entries as it says";
}

std::string CheckKeys(std::string_view key) {
  if (const auto replica = storage::ParseStateKey(key)) {
    const auto kind = static_cast<storage::StateKind>(key.front());
    if (storage::StateKey(kind, *replica).view() != key) return "a state key comes back";
  }
  if (const auto parsed = storage::ParseImageKey(key); parsed && parsed->is_record) {
    if (storage::ImageRecordKey(parsed->image).view() != key) return "an image key comes back";
  }
  if (const auto chunk = storage::ParseChunkKey(key)) {
    const auto parsed = storage::ParseImageKey(key);
    if (!parsed || storage::ChunkKey(parsed->image, *chunk).view() != key) {
      return "a chunk key comes back";
    }
  }
  (void)storage::ParseEntryKey(key);
  return {};
}

}  // namespace

std::string FuzzStoredFiles(std::string_view bytes) {
  Input input(bytes);
  switch (input.Below(6)) {
    case 0: return CheckAnyLog(input.Rest());
    case 1: return CheckLog(input);
    case 2: return CheckWitness(input.Rest());
    case 3: return CheckIdentity(WithChecksum(input.Rest()));
    case 4: return CheckIdentity(input.Rest());
    default: break;
  }
  const std::string_view rest = input.Rest();
  if (std::string wrong = CheckKeys(rest); !wrong.empty()) return wrong;
  return CheckValues(rest);
}

}  // namespace drumbeat::fuzz
