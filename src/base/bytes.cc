// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <cstring>
#include <new>

namespace drumbeat::base {

Buffer* Buffer::New(std::size_t size) {
  return ::new (::operator new(sizeof(Buffer) + size)) Buffer(size);
}

void Buffer::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    this->~Buffer();
    ::operator delete(this);
  }
}

Bytes Bytes::Copy(std::string_view text) {
  if (text.empty()) return {};
  Buffer* buffer = Buffer::New(text.size());
  std::memcpy(buffer->data(), text.data(), text.size());
  return Adopt(buffer);
}

}  // namespace drumbeat::base
