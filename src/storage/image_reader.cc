// SPDX-License-Identifier: Apache-2.0
#include "storage/image_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/advice.h"
#include "storage/keys.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {

ImageReader::ImageReader(std::shared_ptr<StoreCore> core, Source source)
    : source_(std::move(source)),
      core_(std::move(core)),
      cursor_(core_->kv->Scan(Space::kImages, ChunkKeys(source_.image).range())) {}

std::unexpected<Error> ImageReader::Unreadable(const Error& error) const {
  if (error.code == ErrorCode::kDamaged) return Damaged(error.text());
  return Fail(error.code, source_.name + " cannot be read: " + std::string(error.text()));
}

std::unexpected<Error> ImageReader::Damaged(std::string_view what) const {
  const std::string text = source_.name + " is damaged: " + Advised(what, {});
  return Fail(ErrorCode::kDamaged, Advised(text, kReplicaAdvice));
}

Result<std::size_t> ImageReader::Read(std::span<char> buffer) {
  if (buffer.empty() || read_ == source_.bytes) return 0;
  if (rest_.empty()) {
    if (Result<void> moved = NextChunk(); !moved) return std::unexpected(moved.error());
  }
  const std::size_t length = std::min(buffer.size(), rest_.size());
  std::memcpy(buffer.data(), rest_.data(), length);
  rest_.remove_prefix(length);
  read_ += length;
  return length;
}

Result<void> ImageReader::NextChunk() {
  if (next_chunk_ > 0 && cursor_->Valid()) cursor_->Next();
  if (Result<void> status = cursor_->status(); !status) return Unreadable(status.error());
  if (!cursor_->Valid()) return Damaged("its end is missing");
  if (ParseChunkKey(cursor_->key()) != next_chunk_) return Damaged("a part is missing");
  const Result<std::string_view> body = OpenValue(cursor_->key(), cursor_->value());
  if (!body) return Damaged(body.error().text());
  if (body->empty() || body->size() > source_.bytes - read_) return Damaged("it is too long");
  rest_ = *body;
  ++next_chunk_;
  return {};
}

}  // namespace drumbeat::storage
