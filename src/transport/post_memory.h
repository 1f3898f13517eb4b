// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "transport/asio.h"

namespace drumbeat::transport {

/// Memory for one handler, so that posting it needs none at that time: for the way back from
/// another thread, which must not fail. One post at a time; what is posted keeps this alive.
class PostMemory {
 public:
  PostMemory() = default;
  PostMemory(const PostMemory&) = delete;
  PostMemory& operator=(const PostMemory&) = delete;

  template <class Body>
  void Post(asio::io_context& io, Body body) {
    static_assert(std::is_nothrow_move_constructible_v<Body>);
    static_assert(sizeof(Body) <= kBodyBytes);
    asio::post(io, Handler<Body>{.memory = this, .body = std::move(body)});
  }

  /// Whether a handler is in it.
  bool in_use() const { return in_use_; }

 private:
  static constexpr std::size_t kBodyBytes = 128;
  /// Asio needs 64 bytes beside the body.
  static constexpr std::size_t kBytes = kBodyBytes + 128;

  template <class T>
  struct Allocator {
    using value_type = T;
    explicit Allocator(PostMemory* its_memory) : memory(its_memory) {}
    template <class U>
    Allocator(const Allocator<U>& other) : memory(other.memory) {}

    T* allocate(std::size_t count) { return static_cast<T*>(memory->Allocate(count * sizeof(T))); }
    void deallocate(T* at, std::size_t) { memory->Deallocate(at); }
    template <class U>
    bool operator==(const Allocator<U>& other) const {
      return memory == other.memory;
    }

    PostMemory* memory;
  };

  template <class Body>
  struct Handler {
    using allocator_type = Allocator<void>;
    allocator_type get_allocator() const { return allocator_type(memory); }
    void operator()() { body(); }

    PostMemory* memory;
    Body body;
  };

  void* Allocate(std::size_t bytes) {
    if (in_use_ || bytes > bytes_.size()) return ::operator new(bytes);
    in_use_ = true;
    return bytes_.data();
  }
  void Deallocate(void* at) {
    if (at != bytes_.data()) return ::operator delete(at);
    in_use_ = false;
  }

  alignas(std::max_align_t) std::array<std::byte, kBytes> bytes_;
  bool in_use_ = false;
};

}  // namespace drumbeat::transport
