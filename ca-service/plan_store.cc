#include "ca-service/plan_store.h"

#include <utility>

namespace devicetrust::ca {
namespace {

using db::Int;
using db::Row;
using db::Text;

// In the order of FromRow().
#define DT_CA_PLAN_COLUMNS                                                                     \
  "serial, issuer_id, enrollment_id, device_id, user_id, user_sid, principal, key_thumbprint," \
  " issued_at, not_after, content, revocation_epoch, client_address, crl_shard,"               \
  " renews, forced"

PlannedCertificate FromRow(Row& row) {
  PlannedCertificate plan;
  StoredCertificate& certificate = plan.certificate;
  certificate.serial = Text(row[0]);
  certificate.issuer_id = Text(row[1]);
  certificate.enrollment_id = Text(row[2]);
  certificate.device_id = Text(row[3]);
  certificate.user_id = Text(row[4]);
  certificate.user_sid = Text(row[5]);
  certificate.principal = Text(row[6]);
  certificate.key_thumbprint = Text(row[7]);
  certificate.issued_at = Int(row[8]);
  certificate.not_after = Int(row[9]);
  plan.content = std::get<Bytes>(std::move(row[10]));
  plan.revocation_epoch = Int(row[11]);
  plan.client_address = Text(row[12]);
  certificate.crl_shard = Int(row[13]);
  plan.renews = Text(row[14]);
  plan.forced = Int(row[15]) != 0;
  return plan;
}

}  // namespace

absl::Status PlanStore::Insert(const PlannedCertificate& plan) {
  const StoredCertificate& certificate = plan.certificate;
  return txn_
      .Run("INSERT INTO planned_certificates (" DT_CA_PLAN_COLUMNS
           ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
           {certificate.serial, certificate.issuer_id, certificate.enrollment_id,
            certificate.device_id, certificate.user_id, certificate.user_sid, certificate.principal,
            certificate.key_thumbprint, certificate.issued_at, certificate.not_after, plan.content,
            plan.revocation_epoch, plan.client_address, certificate.crl_shard, plan.renews,
            std::int64_t{plan.forced}})
      .status();
}

absl::StatusOr<std::optional<PlannedCertificate>> PlanStore::Find(const std::string& serial) {
  DT_ASSIGN_OR_RETURN(auto rows, txn_.Run("SELECT " DT_CA_PLAN_COLUMNS
                                          " FROM planned_certificates WHERE serial = $1",
                                          {serial}));
  if (rows.empty()) return std::nullopt;
  return FromRow(rows.front());
}

absl::StatusOr<std::vector<PlannedCertificate>> PlanStore::After(const std::string& serial,
                                                                 std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(
      auto rows, txn_.Run("SELECT " DT_CA_PLAN_COLUMNS
                          " FROM planned_certificates WHERE serial > $1 ORDER BY serial LIMIT $2",
                          {serial, limit}));
  std::vector<PlannedCertificate> plans;
  plans.reserve(rows.size());
  for (Row& row : rows) plans.push_back(FromRow(row));
  return plans;
}

absl::StatusOr<bool> PlanStore::Remove(const std::string& serial) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("DELETE FROM planned_certificates WHERE serial = $1 RETURNING serial", {serial}));
  return !rows.empty();
}

}  // namespace devicetrust::ca
