// Whole files, small ones: keys, certificates, configuration, ready files.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust {

inline constexpr std::size_t kSmallFileBytesMax = 1024 * 1024;

// Errors: kNotFound; kPermissionDenied; kInvalidArgument: longer than `bytes_max`, or no
// regular file; kInternal: the disk. Each message names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::size_t bytes_max = kSmallFileBytesMax);

// After it returns OK the file holds exactly `data`, also after a power cut; on an error
// or a crash the old content stands. `mode` as in chmod, regardless of the umask.
absl::Status WriteFileAtomically(const std::string& path, std::string_view data,
                                 mode_t mode = 0600);

// For files that hold secrets. kFailedPrecondition when group or world may read, write or
// execute it; the message names the chmod that helps. kNotFound when there is none.
absl::Status RefuseIfShared(const std::string& path);

}  // namespace devicetrust
