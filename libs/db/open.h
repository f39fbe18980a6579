// The kinds of stores, chosen by URL:
//
//   sqlite:/var/lib/dt/ca.db   a file and, beside it, its log and its lock
//   sqlite::memory:            gone with its last connection
#pragma once

#include <memory>
#include <string>

#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::db {

// A store that this process has taken, as a driver implements it. Not thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // Errors: those of Transaction::Run. Connections may outlive neither the store nor, of readers,
  // the writer's first connection.
  virtual absl::StatusOr<std::unique_ptr<Connection>> Connect(Connection::Mode mode) = 0;

  // False: a store of one connection, where reads take their turn among the writes.
  virtual bool has_readers() const = 0;
};

// kInvalidArgument: a URL of no kind above.
absl::Status CheckUrl(const std::string& url);

// Errors:
//   kInvalidArgument     as CheckUrl().
//   kFailedPrecondition  another process has this store.
//   kNotFound            the file's folder does not exist.
//   kPermissionDenied    the file or its lock cannot be opened.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& url);

}  // namespace devicetrust::db
