#include "libs/db/faulty_disk_fixture.h"

#include <algorithm>
#include <filesystem>

#include "libs/base/check.h"
#include "libs/base/files.h"

namespace devicetrust::db {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStoreBytesMax = 256 * 1024 * 1024;

std::string Read(const std::string& path) {
  return fs::exists(path) ? ReadFile(path, kStoreBytesMax).value() : std::string();
}

std::string Moved(const std::string& path, const std::string& to) {
  return to + "/" + fs::path(path).filename().string();
}

}  // namespace

struct FaultyDisk::File {
  sqlite3_file base;
  FaultyDisk* disk;  // Null: of a temporary file, which may fail as it likes.
  bool is_log;
  char path[512];
  // The real file follows.
};

sqlite3_file* FaultyDisk::RealOf(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

FaultyDisk::FaultyDisk() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.zName = "faulty";
  vfs_.pAppData = this;
  vfs_.xOpen = &Open;
  vfs_.xDelete = &Delete;
  // The real one finds its own data in itself.
  vfs_.xAccess = [](sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    sqlite3_vfs* const real = static_cast<FaultyDisk*>(vfs->pAppData)->real_;
    return real->xAccess(real, name, flags, result);
  };
  vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* name, int size, char* out) {
    sqlite3_vfs* const real = static_cast<FaultyDisk*>(vfs->pAppData)->real_;
    return real->xFullPathname(real, name, size, out);
  };
  DT_CHECK(sqlite3_vfs_register(&vfs_, 1) == SQLITE_OK);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
}

FaultyDisk::Faults FaultyDisk::SetFaults(Faults faults) {
  const MutexLock lock(mutex_);
  return std::exchange(faults_, faults);
}

int FaultyDisk::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                     int* result) {
  auto* const disk = static_cast<FaultyDisk*>(vfs->pAppData);
  auto* const opened = reinterpret_cast<File*>(file);
  opened->base.pMethods = nullptr;
  opened->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  const bool kept = opened->is_log || (flags & SQLITE_OPEN_MAIN_DB) != 0;
  opened->disk = kept ? disk : nullptr;
  const int rc = disk->real_->xOpen(disk->real_, name, RealOf(file), flags, result);
  if (rc != SQLITE_OK) return rc;
  if (kept) {
    const std::string path(name);
    DT_CHECK(path.size() < sizeof(opened->path));
    std::copy_n(path.c_str(), path.size() + 1, opened->path);
    const MutexLock lock(disk->mutex_);
    // A file that was there before is on the disk.
    disk->contents_.try_emplace(path, Content{Read(path), {}});
  }
  opened->base.pMethods = &Methods();
  return SQLITE_OK;
}

int FaultyDisk::Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  auto* const disk = static_cast<FaultyDisk*>(vfs->pAppData);
  const MutexLock lock(disk->mutex_);
  disk->contents_.erase(name);
  return disk->real_->xDelete(disk->real_, name, sync_folder);
}

int FaultyDisk::Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  auto* const opened = reinterpret_cast<File*>(file);
  if (opened->disk != nullptr) {
    const MutexLock lock(opened->disk->mutex_);
    if (opened->disk->faults_.full) return SQLITE_FULL;
    if (opened->disk->faults_.read_only) return SQLITE_IOERR_WRITE;
    opened->disk->contents_[opened->path].dirty.emplace_back(offset, size);
  }
  return RealOf(file)->pMethods->xWrite(RealOf(file), data, size, offset);
}

int FaultyDisk::Sync(sqlite3_file* file, int /*flags*/) {
  auto* const opened = reinterpret_cast<File*>(file);
  FaultyDisk* const disk = opened->disk;
  if (disk == nullptr) return SQLITE_OK;
  const MutexLock lock(disk->mutex_);
  const bool fail = opened->is_log ? disk->faults_.log_syncs : disk->faults_.file_syncs;
  Content& content = disk->contents_[opened->path];
  if (!fail) {
    sqlite3_file* const real = RealOf(file);
    sqlite3_int64 length = 0;
    DT_CHECK(real->pMethods->xFileSize(real, &length) == SQLITE_OK);
    content.synced.resize(static_cast<std::size_t>(length));
    for (const auto& [offset, size] : content.dirty) {
      if (offset + size > content.synced.size()) continue;  // Cut off since.
      DT_CHECK(real->pMethods->xRead(real, &content.synced[offset], static_cast<int>(size),
                                     static_cast<sqlite3_int64>(offset)) == SQLITE_OK);
    }
  }
  content.dirty.clear();
  return fail ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

const sqlite3_io_methods& FaultyDisk::Methods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return RealOf(f)->pMethods->xClose(RealOf(f)); };
    m.xRead = [](sqlite3_file* f, void* data, int size, sqlite3_int64 offset) {
      return RealOf(f)->pMethods->xRead(RealOf(f), data, size, offset);
    };
    m.xWrite = &Write;
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return RealOf(f)->pMethods->xTruncate(RealOf(f), size);
    };
    m.xSync = &Sync;
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return RealOf(f)->pMethods->xFileSize(RealOf(f), size);
    };
    m.xLock = [](sqlite3_file* f, int l) { return RealOf(f)->pMethods->xLock(RealOf(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return RealOf(f)->pMethods->xUnlock(RealOf(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* result) {
      return RealOf(f)->pMethods->xCheckReservedLock(RealOf(f), result);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return RealOf(f)->pMethods->xFileControl(RealOf(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return RealOf(f)->pMethods->xSectorSize(RealOf(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return RealOf(f)->pMethods->xDeviceCharacteristics(RealOf(f));
    };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** at) {
      return RealOf(f)->pMethods->xShmMap(RealOf(f), page, size, extend, at);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
      return RealOf(f)->pMethods->xShmLock(RealOf(f), offset, n, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { RealOf(f)->pMethods->xShmBarrier(RealOf(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) {
      return RealOf(f)->pMethods->xShmUnmap(RealOf(f), remove);
    };
    return m;
  }();
  return methods;
}

void FaultyDisk::CopyAfterKill(const std::string& from, const std::string& to) {
  const MutexLock lock(mutex_);
  std::map<std::string, Content> copies;
  for (const auto& [path, content] : contents_) {
    if (!path.starts_with(from + "/") || !fs::exists(path)) continue;
    DT_CHECK(WriteFileAtomically(Moved(path, to), Read(path)).ok());
    copies.emplace(Moved(path, to), content);
  }
  contents_.merge(copies);
}

void FaultyDisk::CopyAfterPowerCut(const std::string& from, const std::string& to) {
  const MutexLock lock(mutex_);
  for (const auto& [path, content] : contents_) {
    if (!path.starts_with(from + "/")) continue;
    DT_CHECK(WriteFileAtomically(Moved(path, to), content.synced).ok());
  }
}

}  // namespace devicetrust::db
