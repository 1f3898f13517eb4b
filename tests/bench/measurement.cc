// SPDX-License-Identifier: Apache-2.0
#include "bench/measurement.h"

#include <algorithm>

namespace drumbeat::bench {

double Spread::min() const {
  return values_.empty() ? 0 : *std::min_element(values_.begin(), values_.end());
}

double Spread::median() const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t size = sorted.size();
  return (sorted[size / 2] + sorted[(size - 1) / 2]) / 2;
}

double Spread::max() const {
  return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end());
}

}  // namespace drumbeat::bench
