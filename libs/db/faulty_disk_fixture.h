// A disk that fails on demand, under SQLite: a VFS around the real one.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/mutex.h"

namespace devicetrust::db {

// Stores that are opened while it lives lie on it. It fails as Linux does: after a failed sync
// what was written counts as clean though it never got to the disk, so it reads well as long as
// the machine runs, and no later sync saves it. One at a time.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  struct Faults {
    bool log_syncs = false;   // Syncs of write-ahead logs fail,
    bool file_syncs = false;  // those of database files do,
    bool full = false;        // there is no room for any write,
    bool read_only = false;   // every write fails, as after a remount.
  };
  Faults SetFaults(Faults faults);  // Returns those of before.

  // The stores of the folder `from`, in the folder `to`: as another process finds them after their
  // owner was killed, and as a machine finds them that has lost power.
  void CopyAfterKill(const std::string& from, const std::string& to);
  void CopyAfterPowerCut(const std::string& from, const std::string& to);

 private:
  struct Content {
    std::string synced;                                      // On the disk itself.
    std::vector<std::pair<std::size_t, std::size_t>> dirty;  // Offset and size of what waits.
  };
  struct File;  // What SQLite holds of one open file.

  static sqlite3_file* RealOf(sqlite3_file* file);
  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* result);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder);
  static int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset);
  static int Sync(sqlite3_file* file, int flags);
  static const sqlite3_io_methods& Methods();

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Content> contents_ ABSL_GUARDED_BY(mutex_);  // By path.
};

}  // namespace devicetrust::db
