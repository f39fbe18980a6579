#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// One row of the table of roots, or of the table of issuers. Times are Unix seconds, 0: not yet.
struct StoredAuthority {
  std::string id;            // AuthorityId().
  std::string root_id;       // Of an issuer: the root that certified it. Of a root: empty.
  Bytes certificate;         // DER.
  Bytes sealed_key = {};     // PKCS#8, sealed; empty: the key is elsewhere.
  std::string key_uri = {};  // Of a key in a PKCS#11 token; else empty.
  bool is_active = false;
  std::int64_t published_at = 0;  // When gateways were first told of it.
  std::int64_t activated_at = 0;  // When it last began to sign new certificates.
};

// A key that waits for its certificate.
struct StoredIssuerRequest {
  std::string key_thumbprint;
  Bytes sealed_key;
  std::string key_uri;
  std::int64_t requested_at = 0;
};

// The list of a root whose key is elsewhere, as it was brought.
struct StoredRootCrl {
  StoredCrl list;  // `id` is the root's.
  std::int64_t next_update = 0;
};

// The statements on roots and issuers, on one transaction of the caller. Errors as
// db::Transaction::Run. Cheap: made where it is used.
class IssuerStore {
 public:
  explicit IssuerStore(db::Transaction& txn) : txn_(txn) {}

  absl::Status InsertRoot(const StoredAuthority& root);
  absl::Status InsertIssuer(const StoredAuthority& issuer);
  // Exactly `id` is active afterwards.
  absl::Status Activate(const std::string& id, std::int64_t now);
  // It is none of Issuers() any more, and its sealed key is gone.
  absl::Status Retire(const std::string& id, std::int64_t now);
  // When the last of the certificates that it issued, or is about to, ends; 0 without any.
  absl::StatusOr<std::int64_t> LastExpiry(const std::string& issuer_id);

  absl::StatusOr<std::vector<StoredAuthority>> Roots();
  absl::StatusOr<std::vector<StoredAuthority>> Issuers();      // Without those that are retired.
  absl::StatusOr<bool> WasEver(const std::string& issuer_id);  // Those that are retired, too.

  absl::Status InsertRequest(const StoredIssuerRequest& request);
  absl::Status RemoveRequest(const std::string& key_thumbprint);
  absl::StatusOr<std::vector<StoredIssuerRequest>> Requests();

  absl::Status ReplaceRootCrl(const StoredRootCrl& crl);
  absl::StatusOr<std::vector<StoredRootCrl>> RootCrls();

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
