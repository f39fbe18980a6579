#include "iwa/issued_tokens.h"

#include "libs/pki/digest.h"

namespace devicetrust::iwa {
namespace {

std::string Digest(std::string_view compact) { return ToString(pki::Sha256(compact)); }

}  // namespace

void IssuedTokens::Remember(std::string_view compact, const token::DeviceToken& claims) {
  std::string digest = Digest(compact);
  const MutexLock lock(mutex_);
  if (!claims_.emplace(digest, claims).second) return;
  order_.push_back(std::move(digest));
  if (order_.size() <= tokens_max_) return;
  claims_.erase(order_.front());
  order_.pop_front();
}

std::optional<token::DeviceToken> IssuedTokens::Find(std::string_view compact, WallTime now) const {
  const std::string digest = Digest(compact);
  const MutexLock lock(mutex_);
  const auto found = claims_.find(digest);
  if (found == claims_.end() || now >= found->second.envelope.expires_at) return std::nullopt;
  return found->second;
}

}  // namespace devicetrust::iwa
