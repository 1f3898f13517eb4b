// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace drumbeat::base {

/// A block of memory with a reference count, allocated together with its count. Made for being
/// filled once (a received frame, a proposed command) and then read by many through Bytes.
class Buffer {
 public:
  /// A new buffer of `size` bytes, uninitialised, owned by the returned reference.
  static Buffer* New(std::size_t size);

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::size_t size() const { return size_; }

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

 private:
  explicit Buffer(std::size_t size) : size_(size) {}

  std::atomic<std::size_t> references_{1};
  std::size_t size_;
};

/// A view of bytes that keeps the buffer under it alive. Copying costs one atomic increment.
///
/// Thread-safety: a value; the bytes under it never change.
class Bytes {
 public:
  Bytes() = default;
  /// Copies `text` into a buffer of its own.
  static Bytes Copy(std::string_view text);
  /// Shares `buffer`, which holds `view`. Takes a reference of its own.
  static Bytes Share(Buffer* buffer, std::string_view view) {
    buffer->Ref();
    return Bytes(buffer, view);
  }
  /// Takes over the caller's reference to `buffer`, all of it.
  static Bytes Adopt(Buffer* buffer) {
    return Bytes(buffer, std::string_view(buffer->data(), buffer->size()));
  }
  /// Bytes that live for ever, such as literals.
  static Bytes Static(std::string_view text) { return Bytes(nullptr, text); }

  Bytes(const Bytes& other) : view_(other.view_), buffer_(other.buffer_) {
    if (buffer_ != nullptr) buffer_->Ref();
  }
  Bytes(Bytes&& other) noexcept
      : view_(std::exchange(other.view_, {})), buffer_(std::exchange(other.buffer_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(view_, other.view_);
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~Bytes() {
    if (buffer_ != nullptr) buffer_->Unref();
  }

  std::string_view view() const { return view_; }
  const char* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// Part of these bytes, sharing the buffer.
  Bytes Slice(std::size_t offset, std::size_t length) const {
    Bytes part(*this);
    part.view_ = view_.substr(offset, length);
    return part;
  }
  /// Memory that is kept alive by this view: the whole buffer.
  std::size_t retained_bytes() const { return buffer_ == nullptr ? 0 : buffer_->size(); }
  /// The buffer under it, or null for static bytes.
  Buffer* buffer() const { return buffer_; }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  Bytes(Buffer* buffer, std::string_view view) : view_(view), buffer_(buffer) {}

  std::string_view view_;
  Buffer* buffer_ = nullptr;
};

}  // namespace drumbeat::base
