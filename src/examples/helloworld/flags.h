// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "drumbeat/types.h"

namespace helloworld {

/// What the command line says.
struct Flags {
  drumbeat::ReplicaId replica_id;
  /// Where this replica is reached; its place in InitialMembers() unless -addr was given.
  std::string address;
  /// This replica was added by a membership change.
  bool join = false;
};

/// The process ends before it has begun: with `status`, after writing what is not empty.
struct EarlyExit {
  int status = 0;
  std::string to_stdout;
  std::string to_stderr;
};

/// The three founding members: replicas 1, 2 and 3 at localhost:63001, :63002 and :63003.
const drumbeat::MemberMap& InitialMembers();

/// `arguments`: those of main() without the program's name. Flags may be spelled as a Go program
/// takes them: -x v, -x=v, --x v, --x=v; -join or -join=BOOL; the last repeat wins. The first that
/// is wrong, or asks for help or the version, ends the program.
std::expected<Flags, EarlyExit> ParseFlags(const std::vector<std::string>& arguments);

}  // namespace helloworld
