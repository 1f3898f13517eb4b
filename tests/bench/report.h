// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "bench/measurement.h"

namespace drumbeat::bench {

/// A system's measurements of one cell over the rounds.
struct Series {
  Spread per_second;
  Spread p50_us;
  Spread p99_us;
  Spread p999_us;
  Spread max_us;
  Spread cpu_us;
  Spread switches;

  void Add(const Measurement& measurement);
};

/// One cell: the library beside its yardstick.
struct CellReport {
  Cell cell;
  Series floor;
  Series library;
  /// Library to floor, each of the same round.
  Spread ratio;

  /// The yardstick itself moved too much for the ratios to mean anything.
  bool unsteady() const;
  /// What is promised of this cell, as a part of the floor; nothing of most.
  std::optional<double> minimum() const;
};

/// A table in Markdown, for people.
void PrintTable(std::ostream& out, const std::vector<CellReport>& cells);
/// One line for each cell of which something is promised, with `scale` times that; whether all
/// reach it. The median counts; where the yardstick was unsteady the best round, and three quarters
/// do.
bool PrintVerdict(std::ostream& out, const std::vector<CellReport>& cells, double scale);
/// One line of JSON for each cell and system.
void PrintJson(std::ostream& out, const std::vector<CellReport>& cells, const std::string& machine,
               const std::string& settings);

}  // namespace drumbeat::bench
