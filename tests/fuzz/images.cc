// SPDX-License-Identifier: Apache-2.0
#include "fuzz/images.h"

#include <memory>

#include "codec/snapshot_image.h"

namespace drumbeat::fuzz {
namespace {

class StringSink : public codec::ImageSink {
 public:
  Result<void> Append(std::string_view bytes) override {
    body += bytes;
    return {};
  }
  std::string body;
};

}  // namespace

std::string MakeImage(Input& input) {
  StringSink sink;
  const auto compression = input.Bool() ? Compression::kSnappy : Compression::kNone;
  const auto writer = codec::ImageWriter::Make(sink, compression, 1);
  codec::StoredSessions sessions;
  for (int left = input.Below(4); left > 0; --left) {
    codec::StoredSession& session = sessions.sessions.emplace_back();
    session.client_id = sessions.sessions.size();
    session.history.push_back({.series_id = 1, .result = {.value = 1, .data = "r"}});
  }
  (void)writer->Write(codec::EncodeSessions(sessions));
  (void)writer->Write(input.Text());
  (void)writer->Finish();
  return writer->header() + sink.body;
}

bool IsValidImage(std::string_view image) {
  const auto validator = codec::ImageValidator::Make();
  return validator->Add(image).has_value() && validator->Finish().has_value();
}

std::string ReadAll(SnapshotReader& reader) {
  std::string all;
  char buffer[4096];
  for (;;) {
    const Result<std::size_t> got = reader.Read(buffer);
    if (!got || *got == 0) return all;
    all.append(buffer, *got);
  }
}

}  // namespace drumbeat::fuzz
