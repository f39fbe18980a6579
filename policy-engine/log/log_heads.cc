#include "policy-engine/log/log_heads.h"

#include <fmt/format.h>

#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/random_id.h"
#include "libs/eventlog/chain.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/log_chain.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string KeyPurpose(std::string_view org, std::string_view kid) {
  return fmt::format("policy.log_key/{}/{}", org, kid);
}

std::string HashText(const eventlog::Hash& hash) { return {hash.begin(), hash.end()}; }

// Columns sequence, hash, signed_at, kid, signature.
v1::LogHead HeadOf(const db::Row& row, const std::string& org) {
  v1::LogHead head;
  head.set_org(org);
  head.set_sequence(db::Int(row[0]));
  head.set_hash(ToString(db::Blob(row[1])));
  head.mutable_at()->set_seconds(db::Int(row[2]));
  head.set_key_id(db::Text(row[3]));
  head.set_signature(ToString(db::Blob(row[4])));
  return head;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogHeads>> LogHeads::Create(db::Database& log_database,
                                                           const pki::AeadKey& kek, std::string org,
                                                           const Clock& clock, Random& random) {
  std::unique_ptr<LogHeads> heads(new LogHeads(log_database, std::move(org), clock));
  DT_RETURN_IF_ERROR(heads->LoadKey(kek));
  if (!heads->key_) DT_RETURN_IF_ERROR(heads->MakeKey(kek, random));
  const MutexLock lock(heads->mutex_);
  DT_RETURN_IF_ERROR(heads->LoadLast());
  return heads;
}

absl::Status LogHeads::LoadKey(const pki::AeadKey& kek) {
  DT_ASSIGN_OR_RETURN(const auto rows, database_.Read([](db::Transaction& txn) {
    return txn.Run("SELECT kid, sealed FROM log_keys ORDER BY created_at DESC, kid LIMIT 1");
  }));
  if (rows.empty()) return absl::OkStatus();
  kid_ = db::Text(rows[0][0]);
  const absl::StatusOr<Bytes> pem = pki::Open(kek, KeyPurpose(org_, kid_), db::Blob(rows[0][1]));
  if (!pem.ok()) {
    return absl::Status(pem.status().code(),
                        fmt::format("the System Log's key '{}' does not open with this"
                                    " key-encryption key ({}): is --kek-file the one it was sealed"
                                    " with?",
                                    kid_, std::string(pem.status().message())));
  }
  DT_ASSIGN_OR_RETURN(key_, pki::PrivateKey::FromPem(ToString(*pem)));
  return absl::OkStatus();
}

absl::Status LogHeads::MakeKey(const pki::AeadKey& kek, Random& random) {
  DT_ASSIGN_OR_RETURN(key_, pki::PrivateKey::Generate(pki::KeyType::kP256));
  DT_ASSIGN_OR_RETURN(const std::string random_id, NewRandomHex(12, random));
  kid_ = "log-" + random_id;
  const std::string pem = key_->Pem();
  DT_ASSIGN_OR_RETURN(const Bytes sealed,
                      pki::Seal(kek, KeyPurpose(org_, kid_), AsBytes(pem), random));
  const std::int64_t now = UnixSeconds(clock_.Now());
  return database_.Write([&](db::Transaction& txn) {
    return txn
        .Run("INSERT INTO log_keys (kid, created_at, sealed) VALUES ($1, $2, $3)",
             {kid_, now, sealed})
        .status();
  });
}

absl::Status LogHeads::LoadLast() {
  DT_ASSIGN_OR_RETURN(const auto rows, database_.Read([](db::Transaction& txn) {
    return txn.Run(
        "SELECT sequence, hash, signed_at, kid, signature FROM log_heads"
        " ORDER BY sequence DESC LIMIT 1");
  }));
  if (!rows.empty()) last_ = HeadOf(rows[0], org_);
  return absl::OkStatus();
}

absl::StatusOr<v1::LogHead> LogHeads::SignedHead(std::int64_t sequence, const std::string& hash) {
  v1::LogHead head;
  head.set_org(org_);
  head.set_sequence(sequence);
  head.set_hash(hash);
  head.mutable_at()->set_seconds(UnixSeconds(clock_.Now()));
  head.set_key_id(kid_);
  DT_ASSIGN_OR_RETURN(const Bytes signature, key_->SignEs256(eventlog::HeadText(head)));
  head.set_signature(ToString(signature));
  return head;
}

absl::Status LogHeads::CheckLast() {
  if (last_.sequence() == 0) return absl::OkStatus();
  const v1::LogHead last = last_;
  const auto check = [&last](db::Transaction& txn) -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(const ChainState chain, ReadChain(txn));
    if (last.sequence() <= chain.anchor_sequence) return true;  // Deleted, as it should be.
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT event FROM events WHERE sequence = $1", {last.sequence()}));
    if (rows.empty()) return false;
    const Bytes& blob = db::Blob(rows[0][0]);
    v1::Event event;
    return event.ParseFromArray(blob.data(), static_cast<int>(blob.size())) &&
           event.chain().hash() == last.hash();
  };
  DT_ASSIGN_OR_RETURN(const bool there, database_.Read(check));
  kLogChainBroken.With().Set(there ? 0 : 1);
  if (there) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the event of sequence {}, whose hash was signed at {}, is gone or another: the"
                  " store of the System Log was changed or replaced by an older copy; `dtctl log"
                  " verify` says from where on it does not hold",
                  last_.sequence(), UnixSeconds(rpc::FromTimestamp(last_.at()))));
}

absl::Status LogHeads::Sign() {
  const MutexLock lock(mutex_);
  DT_RETURN_IF_ERROR(CheckLast());
  DT_ASSIGN_OR_RETURN(const ChainState chain, database_.Read(&ReadChain));
  if (chain.sequence <= last_.sequence()) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const v1::LogHead head, SignedHead(chain.sequence, HashText(chain.hash)));
  const auto keep = [&head](db::Transaction& txn) {
    const std::span<const std::uint8_t> hash = AsBytes(head.hash());
    const std::span<const std::uint8_t> signature = AsBytes(head.signature());
    return txn
        .Run(
            "INSERT INTO log_heads (sequence, hash, signed_at, kid, signature)"
            " VALUES ($1, $2, $3, $4, $5)",
            {head.sequence(), Bytes(hash.begin(), hash.end()), head.at().seconds(), head.key_id(),
             Bytes(signature.begin(), signature.end())})
        .status();
  };
  DT_RETURN_IF_ERROR(database_.Write(keep));
  last_ = head;
  Log(LogLevel::kInfo, "system_log.head",
      {{"sequence", head.sequence()},
       {"hash", HexEncode(AsBytes(head.hash()))},
       {"signed_at", head.at().seconds()},
       {"key", head.key_id()},
       {"signature", Base64UrlEncode(AsBytes(head.signature()))}});
  return absl::OkStatus();
}

absl::StatusOr<v1::GetLogChainResponse> LogHeads::Current() {
  DT_ASSIGN_OR_RETURN(const ChainState chain, database_.Read(&ReadChain));
  v1::GetLogChainResponse response;
  DT_ASSIGN_OR_RETURN(*response.mutable_head(), SignedHead(chain.sequence, HashText(chain.hash)));
  response.set_anchor_sequence(chain.anchor_sequence);
  response.set_anchor_hash(HashText(chain.anchor_hash));
  response.set_chained_from(chain.chained_from);
  response.set_public_key(ToString(key_->public_key().Spki()));
  return response;
}

absl::StatusOr<std::vector<v1::LogHead>> LogHeads::List(std::int64_t after, int limit) {
  DT_ASSIGN_OR_RETURN(const auto rows, database_.Read([&](db::Transaction& txn) {
    return txn.Run(
        "SELECT sequence, hash, signed_at, kid, signature FROM log_heads"
        " WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        {after, limit});
  }));
  std::vector<v1::LogHead> heads;
  heads.reserve(rows.size());
  for (const db::Row& row : rows) heads.push_back(HeadOf(row, org_));
  return heads;
}

}  // namespace devicetrust::policy
