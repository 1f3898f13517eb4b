// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "codec/snapshot_image.h"
#include "read_all.h"
#include "string_reader.h"

namespace drumbeat::codec {

/// Keeps what is appended.
class StringSink : public ImageSink {
 public:
  Result<void> Append(std::string_view bytes) override {
    text.append(bytes);
    largest = std::max(largest, bytes.size());
    return {};
  }
  std::string text;
  std::size_t largest = 0;
};

/// An image whose stream is `stream`, written in pieces of `step`.
inline std::string ImageOf(std::string_view stream, Compression compression = Compression::kNone,
                           std::size_t step = 1u << 20) {
  StringSink sink;
  const auto writer = ImageWriter::Make(sink, compression, 1'700'000'000'000'000'000u);
  for (std::size_t at = 0; at < stream.size(); at += step) {
    (void)writer->Write(stream.substr(at, step));
  }
  (void)writer->Finish();
  return writer->header() + sink.text;
}

/// The stream that an image holds, or why it cannot be read.
inline Result<std::string> StreamOf(const std::string& image, std::uint64_t image_bytes,
                                    std::size_t step = 1u << 20) {
  auto opened = OpenImage(std::make_unique<StringReader>(image, step), image_bytes);
  if (!opened) return std::unexpected(opened.error());
  return ReadAll(**opened);
}
inline Result<std::string> StreamOf(const std::string& image) {
  return StreamOf(image, image.size());
}

/// What a validator says of it, given pieces of `step`.
inline bool IsValid(std::string_view image, std::size_t step = 1u << 20) {
  const auto validator = ImageValidator::Make();
  for (std::size_t at = 0; at < image.size(); at += step) {
    if (!validator->Add(image.substr(at, step))) return false;
  }
  return validator->Finish().has_value();
}

/// Bytes of a stream that are easy to tell apart, as the big vectors have them.
inline std::string PatternOf(std::size_t size) {
  std::string pattern(size, '\0');
  for (std::size_t i = 0; i < size; ++i) pattern[i] = static_cast<char>(7 * i + i / 251);
  return pattern;
}

constexpr std::size_t kFullBlock = 2u << 20;

}  // namespace drumbeat::codec
