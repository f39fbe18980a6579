// The domains of a configuration, with a client for the directory of each.
#pragma once

#include <memory>

#include "libs/base/status.h"
#include "libs/directory/listing.h"
#include "libs/directory/registry.h"
#include "libs/service/config.h"

namespace devicetrust::service {

// Reads password files; connects to nothing. Errors name the domain and its option:
// kInvalidArgument (not what it should be, or that of another domain), kNotFound,
// kFailedPrecondition (others may read the password).
absl::StatusOr<std::unique_ptr<directory::Registry>> LoadDirectories(
    const DirectoriesConfig& config);

// What reads all people of the domain; the same errors.
absl::StatusOr<std::unique_ptr<directory::Listing>> LoadListing(const DirectoryConfig& config);

}  // namespace devicetrust::service
