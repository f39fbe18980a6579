#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// One row of the table of roots, or of the table of issuers.
struct StoredAuthority {
  std::string id;       // Hex of the subject key identifier.
  std::string root_id;  // Of an issuer: the root that certified it. Of a root: empty.
  Bytes certificate;    // DER.
  Bytes sealed_key;     // PKCS#8, sealed with the key-encryption key.
  bool is_active = false;
};

// The statements on roots and issuers, on one transaction of the caller. Errors as
// db::Transaction::Run. Cheap: made where it is used.
class IssuerStore {
 public:
  explicit IssuerStore(db::Transaction& txn) : txn_(txn) {}

  absl::Status InsertRoot(const StoredAuthority& root);
  absl::Status InsertIssuer(const StoredAuthority& issuer);
  // Exactly `id` is active afterwards.
  absl::Status Activate(const std::string& id);

  absl::StatusOr<std::vector<StoredAuthority>> Roots();
  absl::StatusOr<std::vector<StoredAuthority>> Issuers();

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
