// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "drumbeat/snapshot.h"

#include "fuzz/input.h"

namespace drumbeat::fuzz {

/// A whole image with a session table and a text, as the input chooses them.
std::string MakeImage(Input& input);
/// Whether an image passes the check that it gets while it arrives.
bool IsValidImage(std::string_view image);
/// All that `reader` gives; less than all when it fails.
std::string ReadAll(SnapshotReader& reader);

}  // namespace drumbeat::fuzz
