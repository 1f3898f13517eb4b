// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

namespace rocksdb {
class FileSystem;
}

namespace drumbeat::storage {

/// Whether RocksDB's list of tables could not be written for once: its manifest, the file CURRENT
/// that names it, or the folder that they are in.
/// Thread-safety: any thread.
class ManifestGuard {
 public:
  bool failed() const { return failed_.load(); }
  void Fail() { failed_.store(true); }

 private:
  std::atomic<bool> failed_{false};
};

/// `files`, but from the moment on at which the list of tables fails, which `guard` then knows of,
/// no file is made, renamed or deleted any more. What could not be synced may be on the disk all
/// the same, or not: RocksDB 7.8 deletes the tables of an image that could not enter, and at times
/// the manifest that CURRENT still names; and behind a full disk it tries again by itself. The next
/// opening deletes what no manifest names.
///
/// And each edit is synced before the next one is written, not several at once: a power cut spoils
/// nothing but the last one, which is what our scan of logs relies on.
std::shared_ptr<rocksdb::FileSystem> GuardManifest(
    const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<ManifestGuard> guard);

}  // namespace drumbeat::storage
