// SPDX-License-Identifier: Apache-2.0
#include "fuzz/targets.h"

#include "fuzz/properties.h"

namespace drumbeat::fuzz {
namespace {

constexpr Target kTargets[] = {
    {"frames", FuzzFrames},
    {"message_batch", FuzzMessageBatch},
    {"entry", FuzzEntry},
    {"chunk_stream", FuzzChunkStream},
    {"snapshot_image", FuzzSnapshotImage},
    {"session_table", FuzzSessionTable},
    {"membership", FuzzMembership},
    {"command_line", FuzzCommandLine},
    {"log_store", FuzzLogStore},
    {"stored_files", FuzzStoredFiles},
    {"replica", FuzzReplica},
};

}  // namespace

std::span<const Target> AllTargets() { return kTargets; }

std::string FuzzMessageBatch(std::string_view input) { return CheckMessageBatch(input); }

std::string FuzzEntry(std::string_view input) {
  std::string wrong = CheckEntry(input);
  return wrong.empty() ? CheckCommand(input) : wrong;
}

std::string FuzzSnapshotImage(std::string_view input) {
  std::string wrong = CheckImage(input);
  return wrong.empty() ? CheckSnappyStream(input) : wrong;
}

std::string FuzzSessionTable(std::string_view input) { return CheckSessionTable(input); }

}  // namespace drumbeat::fuzz
