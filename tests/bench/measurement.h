// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace drumbeat::bench {

enum class Operation : std::uint8_t { kWrite, kRead };

/// What one cell asks for.
struct Cell {
  Operation operation = Operation::kWrite;
  std::size_t in_flight = 1;
  /// Of each write.
  std::size_t payload_bytes = 128;

  friend bool operator==(const Cell&, const Cell&) = default;
};

/// What one measured window came to.
struct Measurement {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  /// User and system time of all three processes, load included, for each operation.
  double cpu_us = 0;
  /// Context switches of all three, for each operation.
  double switches = 0;
};

/// Minimum, median and maximum over rounds.
class Spread {
 public:
  void Add(double value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }
  double min() const;
  double median() const;
  double max() const;

 private:
  std::vector<double> values_;
};

}  // namespace drumbeat::bench
