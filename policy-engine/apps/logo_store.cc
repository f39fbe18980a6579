#include "policy-engine/apps/logo_store.h"

#include "libs/pki/digest.h"

namespace devicetrust::policy {

absl::Status StoreLogo(db::Transaction& txn, const std::string& app_id, const Bytes& png) {
  if (png.empty()) return txn.Run("DELETE FROM app_logos WHERE app_id = $1", {app_id}).status();
  const pki::Sha256Digest digest = pki::Sha256(png);
  return txn
      .Run(
          "INSERT INTO app_logos (app_id, sha256, png) VALUES ($1, $2, $3) ON CONFLICT (app_id)"
          " DO UPDATE SET sha256 = excluded.sha256, png = excluded.png",
          {app_id, Bytes(digest.begin(), digest.end()), png})
      .status();
}

absl::StatusOr<std::map<std::string, std::string>> ListLogos(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT app_id, sha256 FROM app_logos"));
  std::map<std::string, std::string> logos;
  for (const db::Row& row : rows) logos.emplace(db::Text(row[0]), ToString(db::Blob(row[1])));
  return logos;
}

absl::StatusOr<std::optional<Bytes>> FindLogo(db::Transaction& txn, const std::string& sha256) {
  const Bytes digest(sha256.begin(), sha256.end());
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT png FROM app_logos WHERE sha256 = $1 LIMIT 1", {digest}));
  if (rows.empty()) return std::nullopt;
  return db::Blob(rows.front()[0]);
}

}  // namespace devicetrust::policy
