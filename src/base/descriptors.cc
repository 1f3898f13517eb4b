// SPDX-License-Identifier: Apache-2.0
#include "base/descriptors.h"

#include <algorithm>
#include <limits>
#include <sys/resource.h>

namespace drumbeat::base {

DescriptorBudget ShareOut(std::size_t descriptors) {
  return {.store_files = std::max<std::size_t>(descriptors / 4, 1),
          .incoming_connections = std::max<std::size_t>(descriptors / 8 * 3, 1),
          .outgoing_connections = std::max<std::size_t>(descriptors / 4, 1)};
}

DescriptorBudget ShareOutDescriptors() {
  rlimit files{};
  const bool limited = ::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
  return ShareOut(limited ? files.rlim_cur : std::numeric_limits<std::size_t>::max());
}

}  // namespace drumbeat::base
