#include "simulator/gateway/upstream/revoked_serials.h"

#include <algorithm>
#include <utility>

namespace devicetrust::gateway {
namespace {

// Copied at each change; a large set is made anew when there are more.
constexpr std::size_t kRecentChangesMax = 512;

}  // namespace

RevokedSerials::RevokedSerials() {
  auto empty = std::make_shared<View>();
  empty->large = std::make_shared<const pki::SerialSet>();
  empty->others = std::make_shared<const Serials>();
  view_.Set(std::move(empty));
}

void RevokedSerials::Apply(std::span<const Change> changes) {
  if (changes.empty()) return;
  auto next = std::make_shared<View>(*view_.Get());
  std::shared_ptr<Serials> others;
  for (const Change& change : changes) {
    if (const auto key = pki::SerialKeyOf(change.serial)) {
      const auto at =
          std::ranges::lower_bound(next->recent, *key, {}, &pki::SerialSet::Change::key);
      if (at != next->recent.end() && at->key == *key) {
        at->present = change.revoked;
      } else {
        next->recent.insert(at, {*key, change.revoked});
        next->recent_bits.set((key->head >> 16) % kRecentBits);
      }
      continue;
    }
    if (others == nullptr) others = std::make_shared<Serials>(*next->others);
    if (change.revoked) {
      others->insert(change.serial);
    } else {
      others->erase(change.serial);
    }
  }
  if (others != nullptr) next->others = std::move(others);
  if (next->recent.size() > kRecentChangesMax) {
    next->large =
        std::make_shared<const pki::SerialSet>(next->large->With(std::exchange(next->recent, {})));
    next->recent_bits.reset();
  }
  view_.Set(std::move(next));
}

void RevokedSerials::AddAll(std::vector<pki::SerialKey> keys,
                            std::span<const std::string> serials) {
  auto next = std::make_shared<View>(*view_.Get());
  const bool first = next->large->size() == 0 && next->recent.empty();
  if (first) {
    next->large = std::make_shared<const pki::SerialSet>(pki::SerialSet::Of(std::move(keys)));
  } else {
    std::vector<pki::SerialSet::Change> changes = std::exchange(next->recent, {});
    changes.reserve(changes.size() + keys.size());
    for (const pki::SerialKey key : keys) changes.push_back({key, true});
    next->recent_bits.reset();
    next->large = std::make_shared<const pki::SerialSet>(next->large->With(std::move(changes)));
  }
  auto others = std::make_shared<Serials>(*next->others);
  others->insert(serials.begin(), serials.end());
  next->others = std::move(others);
  view_.Set(std::move(next));
}

bool RevokedSerials::Contains(const std::string& serial) const {
  const std::shared_ptr<const View> view = view_.Get();
  const auto key = pki::SerialKeyOf(serial);
  if (!key) return view->others->contains(serial);
  if (view->recent_bits.test((key->head >> 16) % kRecentBits)) {
    const auto at = std::ranges::lower_bound(view->recent, *key, {}, &pki::SerialSet::Change::key);
    if (at != view->recent.end() && at->key == *key) return at->present;
  }
  return view->large->Contains(*key);
}

std::size_t RevokedSerials::size() const {
  const std::shared_ptr<const View> view = view_.Get();
  std::size_t size = view->large->size() + view->others->size();
  for (const pki::SerialSet::Change& change : view->recent) {
    const bool counted = view->large->Contains(change.key);
    if (change.present && !counted) ++size;
    if (!change.present && counted) --size;
  }
  return size;
}

std::size_t RevokedSerials::memory_bytes() const { return view_.Get()->large->memory_bytes(); }

}  // namespace devicetrust::gateway
