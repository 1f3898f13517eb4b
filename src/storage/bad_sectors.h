// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace rocksdb {
class FileSystem;
}

namespace drumbeat::storage {

/// `files`, but what the disk refuses to read of a table is damage to that table, as a bad checksum
/// is. RocksDB tells the two apart only by that, and takes a failed read for one of its own
/// writing. What fails for another reason, such as a lack of descriptors or memory, says nothing of
/// the table.
std::shared_ptr<rocksdb::FileSystem> BadSectorsAsDamage(
    const std::shared_ptr<rocksdb::FileSystem>& files);

}  // namespace drumbeat::storage
