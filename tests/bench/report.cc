// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <cmath>
#include <cstdio>
#include <ostream>
#include <string_view>

namespace drumbeat::bench {

namespace {

constexpr double kSteady = 1.5;

/// What is wanted of the best round where the floor was unsteady: load from elsewhere costs the
/// library, which has more to do, more than the floor.
constexpr double kUnsteadyShare = 0.75;

/// Of writes of 128 bytes: how many are in flight, and the least part of the floor. A quarter to a
/// fifth below what an idle machine shows (src/README.md), so that a busy one passes.
constexpr struct {
  std::size_t in_flight;
  double ratio;
} kMinima[] = {{1, 0.45}, {16, 0.36}, {256, 0.16}, {4096, 0.08}};

/// Three significant digits, with k or M; ratios and microseconds come out as they are.
std::string Short(double value) {
  const char* unit = "";
  if (value >= 1e6) {
    value /= 1e6;
    unit = "M";
  } else if (value >= 1e4) {
    value /= 1e3;
    unit = "k";
  }
  char text[32];
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value, unit);
  return text;
}

std::string Short(const Spread& spread) {
  if (spread.empty()) return "-";
  return Short(spread.min()) + " / " + Short(spread.median()) + " / " + Short(spread.max());
}

std::string_view Name(Operation operation) {
  return operation == Operation::kRead ? "read" : "write";
}

std::string Yardstick(Operation operation) {
  return operation == Operation::kRead ? "floor, unsynced" : "floor";
}

void PrintRow(std::ostream& out, const Cell& cell, std::string_view system, const Series& series,
              const std::string& ratio) {
  if (series.per_second.empty()) return;
  out << "| " << Name(cell.operation) << " | " << cell.in_flight << " | ";
  if (cell.operation == Operation::kWrite) out << cell.payload_bytes;
  out << " | " << system << " | " << Short(series.per_second) << " | " << Short(series.p50_us)
      << " | " << Short(series.p99_us) << " | " << Short(series.cpu_us) << " | "
      << Short(series.switches.median()) << " | " << ratio << " |\n";
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void PrintSpread(std::ostream& out, std::string_view name, const Spread& spread) {
  char text[120];
  std::snprintf(text, sizeof text, ",\"%.*s\":[%.6g,%.6g,%.6g]", static_cast<int>(name.size()),
                name.data(), spread.min(), spread.median(), spread.max());
  out << text;
}

void PrintJsonLine(std::ostream& out, const CellReport& cell, std::string_view system,
                   const Series& series, const std::string& machine, const std::string& settings) {
  if (series.per_second.empty()) return;
  out << "{\"system\":\"" << system << "\",\"mode\":\"" << Name(cell.cell.operation)
      << "\",\"inflight\":" << cell.cell.in_flight << ",\"payload\":" << cell.cell.payload_bytes;
  PrintSpread(out, "ops_s", series.per_second);
  PrintSpread(out, "p50_us", series.p50_us);
  PrintSpread(out, "p99_us", series.p99_us);
  PrintSpread(out, "p999_us", series.p999_us);
  PrintSpread(out, "max_us", series.max_us);
  PrintSpread(out, "cpu_us_op", series.cpu_us);
  PrintSpread(out, "switches_op", series.switches);
  if (system == "drumbeat" && !cell.ratio.empty()) PrintSpread(out, "ratio", cell.ratio);
  out << ",\"steady\":" << (cell.unsteady() ? "false" : "true")
      << ",\"settings\":" << Quoted(settings) << ",\"machine\":" << Quoted(machine) << "}\n";
}

}  // namespace

void Series::Add(const Measurement& measurement) {
  per_second.Add(measurement.per_second);
  p50_us.Add(measurement.p50_us);
  p99_us.Add(measurement.p99_us);
  p999_us.Add(measurement.p999_us);
  max_us.Add(measurement.max_us);
  cpu_us.Add(measurement.cpu_us);
  switches.Add(measurement.switches);
}

bool CellReport::unsteady() const {
  return floor.per_second.max() > kSteady * floor.per_second.min();
}

std::optional<double> CellReport::minimum() const {
  if (cell.operation != Operation::kWrite || cell.payload_bytes != 128) return std::nullopt;
  for (const auto& promised : kMinima) {
    if (cell.in_flight == promised.in_flight) return promised.ratio;
  }
  return std::nullopt;
}

bool PrintVerdict(std::ostream& out, const std::vector<CellReport>& cells, double scale) {
  std::size_t judged = 0;
  std::size_t missed = 0;
  for (const CellReport& cell : cells) {
    const std::optional<double> minimum = cell.minimum();
    if (!minimum || cell.ratio.empty()) continue;
    const double reached = cell.unsteady() ? cell.ratio.max() : cell.ratio.median();
    const double wanted = *minimum * scale * (cell.unsteady() ? kUnsteadyShare : 1);
    const bool good = reached >= wanted;
    ++judged;
    if (!good) ++missed;
    out << cell.cell.in_flight << " writes in flight: " << Short(reached) << " of the floor"
        << (cell.unsteady() ? " at best (unsteady)" : "") << ", at least " << Short(wanted)
        << " is wanted: " << (good ? "reached" : "MISSED") << "\n";
  }
  out << judged - missed << " passed, " << missed
      << " failed of the promised shares of the floor\n";
  return judged > 0 && missed == 0;
}

void PrintTable(std::ostream& out, const std::vector<CellReport>& cells) {
  out << "Minimum / median / maximum over the rounds; CPU is user and system time of all three\n"
         "processes, load included; the ratio is to the floor of the same round.\n\n"
         "| | in flight | bytes | system | ops/s | p50 us | p99 us | CPU us/op | switches/op | "
         "of the floor |\n"
         "|---|---|---|---|---|---|---|---|---|---|\n";
  bool unsteady = false;
  for (const CellReport& cell : cells) {
    PrintRow(out, cell.cell, Yardstick(cell.cell.operation), cell.floor,
             cell.unsteady() ? "unsteady" : "");
    PrintRow(out, cell.cell, "drumbeat", cell.library, Short(cell.ratio));
    unsteady = unsteady || cell.unsteady();
  }
  if (unsteady) {
    out << "\nunsteady: the floor itself varied by more than 1.5 between rounds, so something else "
           "was\nrunning; ratios of these cells mean little.\n";
  }
}

void PrintJson(std::ostream& out, const std::vector<CellReport>& cells, const std::string& machine,
               const std::string& settings) {
  for (const CellReport& cell : cells) {
    PrintJsonLine(out, cell, "floor", cell.floor, machine, settings);
    PrintJsonLine(out, cell, "drumbeat", cell.library, machine, settings);
  }
}

}  // namespace drumbeat::bench
