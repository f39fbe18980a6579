#include "ca-service/issuers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ca-service/authority.h"
#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/base/printable.h"
#include "libs/base/utc_time.h"
#include "libs/pki/csr.h"
#include "libs/pki/subject.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using absl::StatusCode;
using rpc::MakeError;

absl::Status UnknownIssuer(const std::string& id) {
  return MakeError(StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                   fmt::format("no issuer has the id {}", id), id,
                   "`dtctl issuers list` shows those that there are.");
}

absl::Status Conflict(std::string message, const std::string& subject, std::string remedy) {
  return MakeError(StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                   std::move(message), subject, std::move(remedy));
}

absl::Status Unfit(std::string message, std::string remedy = {}) {
  return MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                   std::move(message), {}, std::move(remedy));
}

// That a token signs with the key that it shows; what is stored is sealed by then.
absl::StatusOr<Bytes> ProvenRequest(const pki::Signer& key) {
  DT_ASSIGN_OR_RETURN(Bytes request, pki::BuildCsr(kIssuerName, key));
  DT_RETURN_IF_ERROR(pki::ParseCsr(request).status());
  return request;
}

// What a caller may learn of a token: names of options and files are an administrator's.
absl::Status TokenTrouble(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return Unfit(std::string(status.message()));
  if (absl::IsUnavailable(status)) {
    return MakeError(StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                     std::string(status.message()), {}, "Is the token there?",
                     std::chrono::seconds(5));
  }
  if (!absl::IsFailedPrecondition(status)) return status;
  return Conflict(std::string(status.message()), {}, {});
}

StoredCertificate AsRevocable(const Issuer& issuer) {
  StoredCertificate row;
  row.serial = issuer.certificate().serial_hex();
  row.issuer_id = issuer.root_id();
  row.issued_at = UnixSeconds(issuer.certificate().not_before());
  row.not_after = UnixSeconds(issuer.certificate().not_after());
  row.der = issuer.certificate().der();
  return row;
}

bool HasEnded(const pki::Certificate& certificate, WallTime now) {
  return now > certificate.not_after();
}

}  // namespace

const Issuer* IssuerSet::Find(std::string_view id) const {
  for (const auto& issuer : all) {
    if (issuer->id() == id) return issuer.get();
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<Issuers>> Issuers::OpenForSetup(Config config,
                                                               db::Database& database,
                                                               const Clock& clock, Random& random) {
  std::unique_ptr<Issuers> issuers(new Issuers(std::move(config), database, clock, random));
  const MutexLock lock(issuers->change_mutex_);
  DT_RETURN_IF_ERROR(issuers->Reload());
  return issuers;
}

absl::StatusOr<std::unique_ptr<Issuers>> Issuers::Open(Config config, db::Database& database,
                                                       const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(auto issuers, OpenForSetup(std::move(config), database, clock, random));
  const MutexLock lock(issuers->change_mutex_);
  if (issuers->Current()->all.empty()) {
    DT_ASSIGN_OR_RETURN(const auto requests, database.Read([](db::Transaction& txn) {
      return IssuerStore(txn).Requests();
    }));
    if (!requests.empty()) {
      return absl::FailedPreconditionError(
          "the CA waits for the certificate of its issuer: certify the request at the root with"
          " `dt-ca issue-issuing`, then bring it here with `dt-ca issuer-install`");
    }
    DT_RETURN_IF_ERROR(issuers->Create());
    DT_RETURN_IF_ERROR(issuers->Reload());
  }
  DT_RETURN_IF_ERROR(issuers->CheckTokens());
  if (HasEnded(issuers->Current()->active().certificate(), clock.Now())) {
    Log(LogLevel::kError, "ca.issuer.ended", {{"issuer", issuers->Current()->active().id()}});
  }
  return issuers;
}

// Waiting mends a token that is away, and nothing else that may be wrong with one.
absl::Status Issuers::CheckTokens() {
  for (const auto& [id, token] : tokens_) {
    const absl::Status status = token->Check();
    if (status.ok()) continue;
    Log(LogLevel::kError, "ca.token.failed", {{"issuer", id}, {"status", status.ToString()}});
    if (absl::IsUnavailable(status) || id != Current()->active().id()) continue;
    return Annotate(status, fmt::format("the key of issuer {}", id));
  }
  return absl::OkStatus();
}

absl::Status Issuers::Store(const std::string& id, const Beside& beside,
                            const std::function<absl::Status(IssuerStore&)>& change) {
  return rpc::StoreError(database_.Write([&](db::Transaction& txn) -> absl::Status {
    IssuerStore store(txn);
    DT_RETURN_IF_ERROR(change(store));
    return beside ? beside(txn, id) : absl::OkStatus();
  }));
}

// A root and its first issuer, in one transaction: never one without the other.
absl::Status Issuers::Create() {
  const WallTime now = clock_.Now();
  DT_ASSIGN_OR_RETURN(AuthorityKeys::New made, keys_.Make({}));
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                      MakeRoot(config_.org, made.key.signer, now, random_));
  StoredAuthority root{AuthorityId(certificate), {}, certificate.der()};
  DT_ASSIGN_OR_RETURN(root.sealed_key, keys_.Seal(root.id, made.pkcs8, random_));
  DT_ASSIGN_OR_RETURN(StoredAuthority first,
                      NewIssuer({certificate, made.key.signer}, config_.first_key));
  first.is_active = true;
  first.activated_at = first.published_at;
  absl::Status stored = Store(first.id, {}, [&](IssuerStore& store) -> absl::Status {
    DT_RETURN_IF_ERROR(store.InsertRoot(root));
    return store.InsertIssuer(first);
  });
  if (!stored.ok()) return stored;
  Log(LogLevel::kInfo, "ca.keys.created", {{"org", config_.org}, {"issuer", first.id}});
  return absl::OkStatus();
}

absl::StatusOr<StoredAuthority> Issuers::NewIssuer(const pki::Identity& root,
                                                   const std::string& key_uri) {
  DT_ASSIGN_OR_RETURN(AuthorityKeys::New made, keys_.Make(key_uri));
  if (!key_uri.empty()) DT_RETURN_IF_ERROR(ProvenRequest(made.key.signer).status());
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                      CertifyIssuer(root, config_.org, made.key.signer.public_key(),
                                    kIssuerValidity, clock_.Now(), random_));
  StoredAuthority row{AuthorityId(certificate), AuthorityId(root.certificate), certificate.der()};
  DT_ASSIGN_OR_RETURN(row.sealed_key, keys_.Seal(row.id, made.pkcs8, random_));
  row.key_uri = key_uri;
  row.published_at = UnixSeconds(clock_.Now());
  return row;
}

// The one that there is already keeps its sessions with a token.
absl::StatusOr<std::shared_ptr<const Issuer>> Issuers::IssuerOf(const StoredAuthority& row,
                                                                const pki::Certificate& root) {
  if (const auto before = Current()) {
    const auto same = std::ranges::find(before->all, row.id, [](const auto& i) { return i->id(); });
    if (same != before->all.end()) return *same;
  }
  DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(row.certificate));
  DT_ASSIGN_OR_RETURN(UsableKey key,
                      keys_.Open(row.id, {row.sealed_key, row.key_uri}, certificate));
  if (key.token) tokens_[row.id] = key.token;
  return std::make_shared<const Issuer>(pki::Identity{std::move(certificate), key.signer}, root);
}

absl::Status Issuers::Reload() {
  struct Rows {
    std::vector<StoredAuthority> roots;
    std::vector<StoredAuthority> issuers;
    std::vector<StoredRootCrl> lists;
  };
  DT_ASSIGN_OR_RETURN(const Rows rows,
                      database_.Read([](db::Transaction& txn) -> absl::StatusOr<Rows> {
                        IssuerStore store(txn);
                        Rows read;
                        DT_ASSIGN_OR_RETURN(read.roots, store.Roots());
                        DT_ASSIGN_OR_RETURN(read.issuers, store.Issuers());
                        DT_ASSIGN_OR_RETURN(read.lists, store.RootCrls());
                        return read;
                      }));
  const WallTime now = clock_.Now();
  auto set = std::make_shared<IssuerSet>();
  std::string active_id;
  for (const StoredAuthority& row : rows.issuers) {
    if (row.is_active) active_id = row.id;
    const auto root = std::ranges::find(rows.roots, row.root_id, &StoredAuthority::id);
    if (root == rows.roots.end()) return absl::DataLossError("an issuer's root is not stored");
    DT_ASSIGN_OR_RETURN(const pki::Certificate above, pki::Certificate::FromDer(root->certificate));
    DT_ASSIGN_OR_RETURN(auto issuer, IssuerOf(row, above));
    if (!row.is_active && HasEnded(issuer->certificate(), now)) continue;
    if (root->sealed_key.empty()) set->offline_roots[root->id] = nullptr;
    set->all.push_back(std::move(issuer));
  }
  std::ranges::sort(set->all, [&](const auto& a, const auto& b) {
    if ((a->id() == active_id) != (b->id() == active_id)) return a->id() == active_id;
    return a->certificate().not_after() > b->certificate().not_after();
  });
  const bool none = rows.issuers.empty();
  if (!none && (set->all.empty() || set->active().id() != active_id)) {
    return absl::DataLossError("no issuer in the store is active");
  }
  for (const StoredRootCrl& list : rows.lists) {
    const auto root = set->offline_roots.find(list.list.id);
    if (root == set->offline_roots.end()) continue;
    root->second = std::make_shared<const StoredCrl>(list.list);
    kRootListEnds.With({root->first}).Set(static_cast<double>(list.next_update));
  }
  for (const auto& issuer : set->all) {
    const std::int64_t ends = UnixSeconds(issuer->certificate().not_after());
    kIssuerExpiry.With({issuer->id()}).Set(static_cast<double>(ends));
  }
  std::erase_if(tokens_, [&](const auto& token) { return set->Find(token.first) == nullptr; });
  current_.Set(std::move(set));
  return absl::OkStatus();
}

absl::StatusOr<pki::Identity> Issuers::OpenRoot(const std::string& root_id) const {
  DT_ASSIGN_OR_RETURN(const auto roots, database_.Read([](db::Transaction& txn) {
    return IssuerStore(txn).Roots();
  }));
  const auto row = std::ranges::find(roots, root_id, &StoredAuthority::id);
  if (row == roots.end()) return absl::NotFoundError(fmt::format("no root has the id {}", root_id));
  if (row->sealed_key.empty()) {
    return Conflict("the key of the root is not here", root_id,
                    "`dtctl issuers request` makes a request to certify where the root is.");
  }
  DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(row->certificate));
  DT_ASSIGN_OR_RETURN(const UsableKey key, keys_.Open(row->id, {row->sealed_key, {}}, certificate));
  return pki::Identity{std::move(certificate), key.signer};
}

absl::StatusOr<Bytes> Issuers::SignRootCrl(const std::string& root_id, const pki::Crl& crl,
                                           std::span<const std::uint8_t> entries) const {
  DT_ASSIGN_OR_RETURN(const pki::Identity root, OpenRoot(root_id));
  return SignCrl(crl, entries, root);
}

absl::StatusOr<std::string> Issuers::Add(const std::string& key_uri, const Beside& beside) {
  const MutexLock lock(change_mutex_);
  DT_ASSIGN_OR_RETURN(const pki::Identity root, OpenRoot(Current()->active().root_id()));
  absl::StatusOr<StoredAuthority> made = NewIssuer(root, key_uri);
  if (!made.ok()) return TokenTrouble(made.status());
  absl::Status stored = Store(made->id, beside, [&](IssuerStore& store) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const bool known, store.WasEver(made->id));
    if (!known) return store.InsertIssuer(*made);
    return MakeError(StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                     "this key has, or had, an issuer", made->id,
                     "Make another key in the token and name that.");
  });
  if (!stored.ok()) return stored;
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.added", {{"issuer", made->id}});
  return made->id;
}

absl::StatusOr<Bytes> Issuers::Request(const std::string& key_uri, const Beside& beside) {
  const MutexLock lock(change_mutex_);
  absl::StatusOr<AuthorityKeys::New> made = keys_.Make(key_uri);
  if (!made.ok()) return TokenTrouble(made.status());
  absl::StatusOr<Bytes> request = ProvenRequest(made->key.signer);
  if (!request.ok()) return TokenTrouble(request.status());
  StoredIssuerRequest row{
      made->key.signer.public_key().Thumbprint(), {}, key_uri, UnixSeconds(clock_.Now())};
  DT_ASSIGN_OR_RETURN(row.sealed_key, keys_.Seal(row.key_thumbprint, made->pkcs8, random_));
  absl::Status stored = Store({}, beside, [&](IssuerStore& store) -> absl::Status {
    DT_RETURN_IF_ERROR(store.RemoveRequest(row.key_thumbprint));  // Of the same key in a token.
    return store.InsertRequest(row);
  });
  if (!stored.ok()) return stored;
  Log(LogLevel::kInfo, "ca.issuer.requested", {{"key", row.key_thumbprint}});
  return request;
}

absl::StatusOr<StoredIssuerRequest> Issuers::RequestOf(const pki::Certificate& certificate) {
  DT_ASSIGN_OR_RETURN(const pki::PublicKey key, certificate.public_key());
  DT_ASSIGN_OR_RETURN(const auto requests, database_.Read([](db::Transaction& txn) {
    return IssuerStore(txn).Requests();
  }));
  const auto found =
      std::ranges::find(requests, key.Thumbprint(), &StoredIssuerRequest::key_thumbprint);
  if (found != requests.end()) return *found;
  return Unfit("the certificate is of no request that was made here, or was brought before",
               "`dtctl issuers list` shows what is awaited.");
}

absl::StatusOr<std::string> Issuers::Install(const std::vector<pki::Certificate>& chain,
                                             const Beside& beside) {
  const MutexLock lock(change_mutex_);
  if (chain.size() != 2) return Unfit("the file must hold the issuing certificate, then its root");
  const pki::Certificate& certificate = chain[0];
  const WallTime now = clock_.Now();
  if (absl::Status fit = CheckIssuerCertificate(certificate, chain[1], now); !fit.ok()) {
    return Unfit(std::string(fit.message()));
  }
  // What `dt-ca root-init` made is of one org; roots of other software are of whatever they say.
  const std::string organization = pki::OrganizationOf(chain[1]);
  if (chain[1].common_name() == kRootName && organization != config_.org) {
    return Unfit(
        fmt::format("the root is of the org \"{}\", and this CA of \"{}\"", Printable(organization),
                    config_.org),
        fmt::format("Certify the request at the root of `dt-ca root-init --org {}`.", config_.org));
  }
  const bool is_first = Current()->all.empty();
  if (!is_first && certificate.subject_der() != Current()->active().certificate().subject_der()) {
    return Unfit("the certificate's subject differs from the active issuer's in its octets",
                 "Certify it with `dt-ca issue-issuing`, or with the same subject and encoding.");
  }
  DT_ASSIGN_OR_RETURN(const StoredIssuerRequest request, RequestOf(certificate));
  StoredAuthority row{AuthorityId(certificate), AuthorityId(chain[1]), certificate.der()};
  row.key_uri = request.key_uri;
  row.published_at = UnixSeconds(now);
  row.is_active = is_first;
  row.activated_at = is_first ? row.published_at : 0;
  if (request.key_uri.empty()) {
    DT_ASSIGN_OR_RETURN(Bytes pkcs8, keys_.Unseal(request.key_thumbprint, request.sealed_key));
    DT_ASSIGN_OR_RETURN(row.sealed_key, keys_.Seal(row.id, pkcs8, random_));
  }
  absl::Status stored = Store(row.id, beside, [&](IssuerStore& store) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const auto roots, store.Roots());
    if (std::ranges::find(roots, row.root_id, &StoredAuthority::id) == roots.end()) {
      DT_RETURN_IF_ERROR(store.InsertRoot({row.root_id, {}, chain[1].der()}));
    }
    DT_RETURN_IF_ERROR(store.RemoveRequest(request.key_thumbprint));
    return store.InsertIssuer(row);
  });
  if (!stored.ok()) return stored;
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.installed", {{"issuer", row.id}, {"root", row.root_id}});
  return row.id;
}

absl::Status CheckRootCrl(const pki::Crl& crl, WallTime now) {
  if (crl.base_number || !crl.part_urls.empty()) {
    return Unfit("the list is not complete", "Bring the complete list of the root.");
  }
  if (crl.next_update <= now) return Unfit("the list has ended", "Make a new one at the root.");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Issuers::InstallRootCrl(std::span<const std::uint8_t> der,
                                                                 const Beside& beside) {
  const MutexLock lock(change_mutex_);
  const auto set = Current();
  const WallTime now = clock_.Now();
  for (const auto& issuer : set->all) {
    const auto root = set->offline_roots.find(issuer->root_id());
    if (root == set->offline_roots.end()) continue;
    const auto crl = pki::ParseCrl(der, issuer->root());
    if (!crl.ok()) continue;
    if (absl::Status fit = CheckRootCrl(*crl, now); !fit.ok()) return fit;
    if (root->second != nullptr && crl->number <= root->second->number) {
      return Unfit(fmt::format("the list's number is {}, and list {} is published already",
                               crl->number, root->second->number),
                   "Bring the newest one.");
    }
    const StoredRootCrl row{
        {root->first, crl->number, 0, UnixSeconds(crl->this_update), Bytes(der.begin(), der.end())},
        UnixSeconds(crl->next_update)};
    DT_RETURN_IF_ERROR(
        Store({}, beside, [&](IssuerStore& store) { return store.ReplaceRootCrl(row); }));
    DT_RETURN_IF_ERROR(Reload());
    Log(LogLevel::kInfo, "ca.root_crl.installed", {{"root", root->first}, {"number", crl->number}});
    std::vector<std::string> taken_back;
    for (const auto& one : set->all) {
      if (one->root_id() == root->first &&
          std::ranges::find(crl->revoked, one->certificate().serial_hex(),
                            &pki::RevokedCertificate::serial_hex) != crl->revoked.end()) {
        taken_back.push_back(one->id());
      }
    }
    return taken_back;
  }
  return Unfit("the list is signed by no root whose key is kept elsewhere",
               "Make it at the root with `dt-ca root-crl`.");
}

absl::Status Issuers::Activate(const std::string& id, bool insist, const Beside& beside) {
  const MutexLock lock(change_mutex_);
  const auto current = Current();
  const Issuer* const issuer = current->Find(id);
  if (issuer == nullptr) return UnknownIssuer(id);
  if (issuer == &current->active()) return absl::OkStatus();
  const WallTime now = clock_.Now();
  if (HasEnded(issuer->certificate(), now)) {
    return Conflict(fmt::format("issuer {} has expired", id), id, "Make another one.");
  }
  DT_ASSIGN_OR_RETURN(const auto rows, database_.Read([](db::Transaction& txn) {
    return IssuerStore(txn).Issuers();
  }));
  const auto row = std::ranges::find(rows, id, &StoredAuthority::id);
  if (row == rows.end()) return UnknownIssuer(id);
  const WallTime usable_from = AtUnixSeconds(row->published_at) + kPublishedFor;
  if (now < usable_from && !insist) {
    return MakeError(
        StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
        fmt::format("issuer {} was published less than {} minutes ago: a gateway that has not heard"
                    " of it would refuse its certificates",
                    id, kPublishedFor.count()),
        id, fmt::format("Activate it after {}, or insist.", FormatUtc(usable_from)),
        std::chrono::ceil<std::chrono::seconds>(usable_from - now));
  }
  if (const auto token = tokens_.find(id); token != tokens_.end()) {
    if (const absl::Status ready = token->second->Check(); !ready.ok()) return TokenTrouble(ready);
  }
  DT_RETURN_IF_ERROR(
      Store(id, beside, [&](IssuerStore& store) { return store.Activate(id, UnixSeconds(now)); }));
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.activated", {{"issuer", id}, {"before", current->active().id()}});
  return absl::OkStatus();
}

absl::Status Issuers::CheckRetirement(const Issuer& issuer, bool insist) const {
  if (&issuer == &Current()->active()) {
    return Conflict("the active issuer cannot be retired", issuer.id(),
                    "Activate another one first.");
  }
  if (insist) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const std::int64_t last, database_.Read([&](db::Transaction& txn) {
    return IssuerStore(txn).LastExpiry(issuer.id());
  }));
  if (last < UnixSeconds(clock_.Now())) return absl::OkStatus();
  return Conflict(fmt::format("certificates of issuer {} are good until {}", issuer.id(),
                              FormatUtc(AtUnixSeconds(last))),
                  issuer.id(),
                  "It retires by itself after that; insist, and they are refused from now on.");
}

// The root's list names it from then on, where the root's key is here.
absl::Status Issuers::Retire(const std::string& id, bool insist, const Beside& beside) {
  const MutexLock lock(change_mutex_);
  const auto current = Current();
  const Issuer* const issuer = current->Find(id);
  if (issuer == nullptr) return UnknownIssuer(id);
  DT_RETURN_IF_ERROR(CheckRetirement(*issuer, insist));
  const WallTime now = clock_.Now();
  const bool list_it =
      !current->offline_roots.contains(issuer->root_id()) && !HasEnded(issuer->certificate(), now);
  absl::Status stored = rpc::StoreError(database_.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(IssuerStore(txn).Retire(id, UnixSeconds(now)));
    if (list_it) {
      CertificateStore store(txn);
      StoredCertificate row = AsRevocable(*issuer);
      DT_RETURN_IF_ERROR(store.Insert(row));
      DT_RETURN_IF_ERROR(store.Revoke(row, v1::REVOCATION_REASON_CESSATION_OF_OPERATION, now));
    }
    return beside ? beside(txn, id) : absl::OkStatus();
  }));
  if (!stored.ok()) return stored;
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.retired", {{"issuer", id}});
  return absl::OkStatus();
}

}  // namespace devicetrust::ca
