#include "ca-service/ocsp_responder.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "ca-service/metrics.h"
#include "libs/base/encoding.h"
#include "libs/base/log.h"

namespace devicetrust::ca {
namespace {

using std::chrono::milliseconds;
using Reply = OcspResponder::Reply;

constexpr std::size_t kJobsAtOnce = 64;
constexpr std::int64_t kRevocationsAtOnce = 1000;
constexpr milliseconds kRetryStoreAfter{1000};
// Of an answer beside its octets: list, map, vectors, counts.
constexpr std::size_t kAnswerOverheadBytes = 256;
constexpr std::size_t kTagOctets = 16;
constexpr std::size_t kKeptPerOnTheSpot = 10;  // Signatures.
constexpr std::size_t kRenewBytesMax = 512;    // Of a request that is held to make an answer anew.

Reply Unsigned(OcspReply::Kind kind, pki::OcspError error) {
  return std::make_shared<const OcspReply>(
      OcspReply{kind, pki::OcspErrorResponse(error), {}, {}, {}});
}

std::string_view NameOf(OcspReply::Kind kind) {
  switch (kind) {
    case OcspReply::Kind::kGood:
      return "good";
    case OcspReply::Kind::kRevoked:
      return "revoked";
    case OcspReply::Kind::kUnknown:
      return "unknown";
    case OcspReply::Kind::kSeveral:
      return "several";
    case OcspReply::Kind::kUnauthorized:
      return "unauthorized";
    case OcspReply::Kind::kTryLater:
      break;
  }
  return "try_later";
}

constexpr std::string_view kKeptSignature = "kept";
constexpr std::string_view kNewSignature = "signed";
constexpr std::string_view kNoSignature = "none";

Reply Counted(Reply reply, std::string_view signature) {
  kOcspAnswers.With({NameOf(reply->kind), signature}).Add();
  return reply;
}

std::string_view ViewOf(std::span<const std::uint8_t> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// Octets of the INTEGER that the serial is; the store has it in hex.
std::string SerialOctets(const std::string& serial_hex) {
  std::string octets = ToString(HexDecode(serial_hex).value_or(Bytes()));
  if (!octets.empty() && (octets[0] & 0x80) != 0) octets.insert(octets.begin(), '\0');
  return octets;
}

// As of `this_update`: what is revoked since then was so at that time already.
pki::OcspCertStatus StatusOf(const std::optional<StoredCertificate>& stored,
                             const std::string& issuer_id, WallTime this_update) {
  if (!stored || stored->issuer_id != issuer_id) return {pki::OcspStatus::kUnknown};
  if (!stored->revoked_at) return {pki::OcspStatus::kGood};
  return {pki::OcspStatus::kRevoked, std::min(AtUnixSeconds(*stored->revoked_at), this_update),
          static_cast<pki::CrlReason>(stored->reason)};
}

OcspReply::Kind KindOf(pki::OcspStatus status) {
  switch (status) {
    case pki::OcspStatus::kGood:
      return OcspReply::Kind::kGood;
    case pki::OcspStatus::kRevoked:
      return OcspReply::Kind::kRevoked;
    case pki::OcspStatus::kUnknown:
      break;
  }
  return OcspReply::Kind::kUnknown;
}

std::string TagOf(const Bytes& der) {
  const pki::Sha256Digest digest = pki::Sha256(der);
  return fmt::format("\"{}\"", HexEncode(std::span(digest).first(kTagOctets)));
}

}  // namespace

bool OcspResponder::Budget::Take() {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - filled_).count();
  filled_ = now;
  left_ = std::min(per_second_, left_ + seconds * per_second_);
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

OcspResponder::OcspResponder(db::Database& database, const OcspDelegates& delegates,
                             const Clock& clock, OcspOptions options)
    : database_(database),
      delegates_(delegates),
      clock_(clock),
      options_(options),
      try_later_(Unsigned(OcspReply::Kind::kTryLater, pki::OcspError::kTryLater)),
      unauthorized_(Unsigned(OcspReply::Kind::kUnauthorized, pki::OcspError::kUnauthorized)),
      on_the_spot_(options.signatures_per_second),
      to_keep_(kKeptPerOnTheSpot * options.signatures_per_second) {}

absl::StatusOr<std::unique_ptr<OcspResponder>> OcspResponder::Start(db::Database& database,
                                                                    const OcspDelegates& delegates,
                                                                    const Clock& clock,
                                                                    OcspOptions options) {
  std::unique_ptr<OcspResponder> responder(new OcspResponder(database, delegates, clock, options));
  OcspResponder* const self = responder.get();
  // Nothing is kept yet: what is revoked before the watch begins is seen when it is looked for.
  DT_ASSIGN_OR_RETURN(self->sequence_, database.Read([](db::Transaction& txn) {
    return CertificateStore(txn).LastRevocation();
  }));
  self->loop_.emplace(BackgroundLoop::kUntilWoken, [self] { return self->Step(); });
  self->watch_ = database.WatchTopic(kRevocationSequence, [self] {
    self->committed_.fetch_add(1, std::memory_order_release);
    self->loop_->Wake();
  });
  self->kept_reading_ = kOcspKept.Read({}, [self] {
    const MutexLock lock(self->mutex_);
    return static_cast<double>(self->kept_.size());
  });
  self->bytes_reading_ = kOcspKeptBytes.Read({}, [self] {
    const MutexLock lock(self->mutex_);
    return static_cast<double>(self->kept_bytes_);
  });
  return responder;
}

OcspResponder::~OcspResponder() { Stop(); }

void OcspResponder::Stop() {
  if (loop_) loop_->Stop();
  std::vector<Job> left;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    left.swap(waiting_);
  }
  for (const Job& job : left) {
    if (job.receiver) job.receiver(Counted(try_later_, kNoSignature));
  }
}

Reply OcspResponder::Kept(const pki::OcspRequest& request) {
  if (request.ids().size() != 1 || !request.nonce().empty()) return nullptr;
  Reply kept = FindKept(request.ids().front(), Age::kRipe);
  if (kept == nullptr) return nullptr;
  if (clock_.Now() >= kept->produced_at + kOcspLifetime / 2) RenewBehind(request);
  return Counted(std::move(kept), kKeptSignature);
}

void OcspResponder::RenewBehind(const pki::OcspRequest& request) {
  if (request.der().size() > kRenewBytesMax) return;
  {
    const MutexLock lock(mutex_);
    const auto found = by_serial_.find(ViewOf(request.ids().front().serial));
    if (found == by_serial_.end() || found->second->renewing) return;
    if (stopped_ || waiting_.size() >= options_.waiting_max) return;
    auto again = pki::OcspRequest::Parse({request.der().begin(), request.der().end()});
    if (!again.ok()) return;
    found->second->renewing = true;
    waiting_.push_back({*std::move(again), nullptr});
  }
  loop_->Wake();
}

void OcspResponder::SetRenewed(const pki::OcspCertId& id) {
  const MutexLock lock(mutex_);
  const auto found = by_serial_.find(ViewOf(id.serial));
  if (found != by_serial_.end()) found->second->renewing = false;
}

void OcspResponder::Answer(pki::OcspRequest request, Receiver receiver) {
  {
    const MutexLock lock(mutex_);
    if (!stopped_ && waiting_.size() < options_.waiting_max) {
      waiting_.push_back({std::move(request), std::move(receiver)});
      receiver = nullptr;
    }
  }
  if (receiver) return receiver(Counted(try_later_, kNoSignature));
  loop_->Wake();
}

BackgroundLoop::Pause OcspResponder::Step() {
  std::vector<Job> jobs;
  bool more = false;
  {
    const MutexLock lock(mutex_);
    const auto end =
        waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kJobsAtOnce));
    jobs.assign(std::move_iterator(waiting_.begin()), std::move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    more = !waiting_.empty();
  }
  absl::Status status = CatchUp();
  if (!jobs.empty()) {
    const absl::StatusOr<Statuses> statuses = Look(jobs);
    status.Update(statuses.status());
    for (const Job& job : jobs) {
      Served served = Serve(job.request, statuses);
      if (job.receiver) {
        job.receiver(Counted(std::move(served.reply), served.signature));
      } else {
        SetRenewed(job.request.ids().front());
      }
    }
  }
  if (!status.ok() && !failing_) {
    Log(LogLevel::kError, "ca.ocsp.failed", {{"status", status.ToString()}});
  }
  failing_ = !status.ok();
  if (more) return milliseconds(0);
  return failing_ ? BackgroundLoop::AtMost(kRetryStoreAfter)
                  : BackgroundLoop::Pause(BackgroundLoop::kUntilWoken);
}

absl::Status OcspResponder::CatchUp() {
  const std::uint64_t committed = committed_.load(std::memory_order_acquire);
  {
    const MutexLock lock(mutex_);
    if (known_ == committed) return absl::OkStatus();
  }
  for (bool more = true; more;) {
    DT_ASSIGN_OR_RETURN(const auto revoked, database_.Read([&](db::Transaction& txn) {
      return CertificateStore(txn).RevokedAfter(sequence_, kRevocationsAtOnce);
    }));
    const MutexLock lock(mutex_);
    for (const StoredRevocation& revocation : revoked) Forget(SerialOctets(revocation.serial));
    if (!revoked.empty()) sequence_ = revoked.back().sequence;
    more = static_cast<std::int64_t>(revoked.size()) == kRevocationsAtOnce;
    if (!more) known_ = committed;
  }
  return absl::OkStatus();
}

absl::StatusOr<OcspResponder::Statuses> OcspResponder::Look(const std::vector<Job>& jobs) const {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Statuses> {
    CertificateStore store(txn);
    Statuses statuses;
    for (const Job& job : jobs) {
      for (const pki::OcspCertId& id : job.request.ids()) {
        const std::string serial = id.serial_hex();
        if (serial.empty() || statuses.contains(serial)) continue;
        DT_ASSIGN_OR_RETURN(statuses[serial], store.FindBySerial(serial));
      }
    }
    return statuses;
  });
}

OcspResponder::Served OcspResponder::Serve(const pki::OcspRequest& request,
                                           const absl::StatusOr<Statuses>& statuses) {
  const auto delegates = delegates_.Current();
  const OcspDelegate* const delegate = delegates->Of(request.ids().front());
  // One signature speaks for one issuer.
  const bool of_one_issuer = std::ranges::all_of(
      request.ids(), [&](const pki::OcspCertId& id) { return delegates->Of(id) == delegate; });
  if (delegate == nullptr || !of_one_issuer) return {unauthorized_, kNoSignature};
  if (delegate->signer && statuses.ok()) {
    if (Served served = ServeKnown(request, *delegate, *statuses); served.reply) return served;
  }
  if (request.ids().size() == 1) {
    if (Reply kept = FindKept(request.ids().front(), Age::kStillGood)) {
      return {std::move(kept), kKeptSignature};
    }
  }
  return {try_later_, kNoSignature};
}

OcspResponder::Served OcspResponder::ServeKnown(const pki::OcspRequest& request,
                                                const OcspDelegate& delegate,
                                                const Statuses& statuses) {
  const pki::OcspCertId& first = request.ids().front();
  const auto stored = statuses.find(first.serial_hex());
  // An answer may be kept for as many serials as were issued, not for those that somebody makes up.
  const bool may_keep = request.ids().size() == 1 && stored != statuses.end() && stored->second &&
                        stored->second->issuer_id == delegate.issuer_id;
  if ((!may_keep || !request.nonce().empty()) && on_the_spot_.Take()) {
    return {Sign(request, delegate, request.nonce(), statuses), kNewSignature};
  }
  if (!may_keep) return {};
  if (Reply kept = FindKept(first, Age::kFresh)) return {std::move(kept), kKeptSignature};
  if (!to_keep_.Take()) return {};
  Reply reply = Sign(request, delegate, {}, statuses);
  if (reply) Keep(first, reply);
  return {std::move(reply), kNewSignature};
}

Reply OcspResponder::Sign(const pki::OcspRequest& request, const OcspDelegate& delegate,
                          std::span<const std::uint8_t> nonce, const Statuses& statuses) const {
  const WallTime now = std::chrono::floor<std::chrono::seconds>(clock_.Now());
  pki::OcspAnswer answer{
      {},
      now,
      now - kOcspBackdate,
      std::min<WallTime>(now + kOcspLifetime, delegate.signer->certificate().not_after()),
      nonce};
  for (const pki::OcspCertId& id : request.ids()) {
    const auto found = statuses.find(id.serial_hex());
    const bool known = found != statuses.end();
    answer.singles.push_back(
        {id.der, known ? StatusOf(found->second, delegate.issuer_id, answer.this_update)
                       : pki::OcspCertStatus()});
  }
  absl::StatusOr<Bytes> der = delegate.signer->Sign(answer);
  if (!der.ok()) {
    Log(LogLevel::kError, "ca.ocsp.failed", {{"status", der.status().ToString()}});
    return nullptr;
  }
  OcspReply reply;
  reply.kind = answer.singles.size() == 1 ? KindOf(answer.singles.front().status.status)
                                          : OcspReply::Kind::kSeveral;
  reply.der = *std::move(der);
  if (nonce.empty()) reply.etag = TagOf(reply.der);
  reply.produced_at = now;
  reply.next_update = answer.next_update;
  return std::make_shared<const OcspReply>(std::move(reply));
}

Reply OcspResponder::FindKept(const pki::OcspCertId& id, Age age_max) {
  const WallTime now = clock_.Now();
  const MutexLock lock(mutex_);
  if (known_ != committed_.load(std::memory_order_acquire)) return nullptr;
  const auto found = by_serial_.find(ViewOf(id.serial));
  if (found == by_serial_.end()) return nullptr;
  const auto entry = found->second;
  const auto answer = std::ranges::find_if(
      entry->answers, [&](const auto& kept) { return std::ranges::equal(kept.first, id.der); });
  if (answer == entry->answers.end()) return nullptr;
  const OcspReply& reply = *answer->second;
  // A clock that was set back makes new answers too: clients refuse those of the future.
  if (now < reply.produced_at - kOcspBackdate || now >= reply.next_update) return nullptr;
  const auto age = now - reply.produced_at;
  if (age_max == Age::kFresh && age >= kOcspLifetime / 2) return nullptr;
  if (age_max == Age::kRipe && age >= kOcspLifetime / 4 * 3) return nullptr;
  kept_.splice(kept_.begin(), kept_, entry);
  return answer->second;
}

void OcspResponder::Keep(const pki::OcspCertId& id, Reply reply) {
  const MutexLock lock(mutex_);
  auto found = by_serial_.find(ViewOf(id.serial));
  if (found == by_serial_.end()) {
    kept_.push_front({std::string(ViewOf(id.serial)), {}, 0});
    found = by_serial_.emplace(kept_.front().serial, kept_.begin()).first;
  }
  KeptCertificate& entry = *found->second;
  std::size_t dropped = 0;
  std::erase_if(entry.answers, [&](const auto& kept) {
    if (!std::ranges::equal(kept.first, id.der)) return false;
    dropped += kept.first.size() + kept.second->der.size() + kAnswerOverheadBytes;
    return true;
  });
  entry.bytes -= dropped;
  kept_bytes_ -= dropped;
  const std::size_t bytes = id.der.size() + reply->der.size() + kAnswerOverheadBytes;
  entry.answers.emplace_back(Bytes(id.der.begin(), id.der.end()), std::move(reply));
  entry.bytes += bytes;
  kept_bytes_ += bytes;
  Shrink();
}

void OcspResponder::Forget(std::string_view serial) {
  const auto found = by_serial_.find(serial);
  if (found == by_serial_.end()) return;
  const auto entry = found->second;
  kept_bytes_ -= entry->bytes;
  by_serial_.erase(found);
  kept_.erase(entry);
}

void OcspResponder::Shrink() {
  while (kept_bytes_ > options_.memory_bytes_max && kept_.size() > 1) {
    Forget(kept_.back().serial);
  }
}

}  // namespace devicetrust::ca
