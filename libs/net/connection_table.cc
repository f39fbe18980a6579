#include "libs/net/connection_table.h"

#include <algorithm>

#include "libs/net/endpoint.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kNewcomersPart = 4;  // One of so many places.

asio::ip::address KeyOf(const asio::ip::address& given) {
  const asio::ip::address address = Unmapped(given);
  if (!address.is_v6()) return address;
  asio::ip::address_v6::bytes_type octets = address.to_v6().to_bytes();
  std::fill(octets.begin() + 8, octets.end(), static_cast<unsigned char>(0));
  return asio::ip::address_v6(octets);
}

}  // namespace

struct Admission::Address {
  asio::ip::address key;
  std::size_t size = 0;
  ConnectionTable::Lists lists;
};

Admission::~Admission() {
  if (state_ != State::kGone) table_.Remove(*this);
}

void Admission::Busy() { MoveTo(State::kBusy); }
void Admission::Idle() { MoveTo(State::kIdle); }

bool Admission::Hold(Part part, std::size_t bytes) {
  if (state_ == State::kGone) return false;
  std::size_t& held = held_[static_cast<std::size_t>(part)];
  const bool more = bytes > held;
  table_.bytes_ += bytes - held;
  held = bytes;
  while (more && table_.bytes_ > table_.bytes_max_) {
    if (!table_.Evict(table_.all_) || state_ == State::kGone) return false;
  }
  return true;
}

void Admission::MoveTo(State state) {
  if (state_ == State::kGone) return;
  const auto from = static_cast<std::size_t>(state_);
  const auto to = static_cast<std::size_t>(state);
  List& all = table_.all_.of[to];
  all.splice(all.end(), table_.all_.of[from], in_all_);
  List& same = address_.lists.of[to];
  same.splice(same.end(), address_.lists.of[from], in_address_);
  state_ = state;
}

ConnectionTable::ConnectionTable(std::size_t connections_max, std::size_t per_address_max,
                                 std::size_t bytes_max)
    : connections_max_(connections_max), per_address_max_(per_address_max), bytes_max_(bytes_max) {}
ConnectionTable::~ConnectionTable() = default;

std::unique_ptr<Admission> ConnectionTable::Admit(const asio::ip::address& given) {
  const asio::ip::address key = KeyOf(given);
  if (const auto known = addresses_.find(key); known != addresses_.end()) {
    Admission::Address& address = *known->second;
    const bool full = per_address_max_ > 0 && address.size >= per_address_max_;
    if (full && !Evict(address.lists)) return nullptr;
  }
  while (size_ >= connections_max_ || bytes_ + kConnectionBytes > bytes_max_) {
    if (!Evict(all_)) return nullptr;
  }

  auto place = addresses_.find(key);  // The last one may have left.
  if (place == addresses_.end()) {
    place = addresses_.emplace(key, std::make_unique<Admission::Address>()).first;
    place->second->key = key;
  }
  Admission::Address& address = *place->second;
  // Nothing is thrown once it is there.
  Admission::List all(1);
  Admission::List same(1);
  std::unique_ptr<Admission> admission(new Admission(*this, address));
  all.front() = same.front() = admission.get();
  admission->in_all_ = all.begin();
  admission->in_address_ = same.begin();
  all_.of[0].splice(all_.of[0].end(), all);
  address.lists.of[0].splice(address.lists.of[0].end(), same);
  ++address.size;
  ++size_;
  bytes_ += kConnectionBytes;
  return admission;
}

bool ConnectionTable::MakeRoom() { return Evict(all_); }

// New ones keep a part of the places: else those that are idle in all the others would leave an
// honest one only the time until the next one comes.
bool ConnectionTable::Evict(Lists& lists) {
  const auto of = [&lists](Admission::State state) -> Admission::List& {
    return lists.of[static_cast<std::size_t>(state)];
  };
  Admission::List& fresh = of(Admission::State::kNew);
  Admission::List& idle = of(Admission::State::kIdle);
  const std::size_t all = fresh.size() + idle.size() + of(Admission::State::kBusy).size();
  const bool many_are_new = fresh.size() * kNewcomersPart >= all;
  Admission::List& list = !fresh.empty() && (many_are_new || idle.empty()) ? fresh : idle;
  if (list.empty()) return false;
  Admission& victim = *list.front();
  ++evicted_;
  Remove(victim);
  if (victim.session_ != nullptr) victim.session_->Cut();
  return true;
}

void ConnectionTable::Remove(Admission& admission) {
  const auto state = static_cast<std::size_t>(admission.state_);
  all_.of[state].erase(admission.in_all_);
  admission.address_.lists.of[state].erase(admission.in_address_);
  admission.state_ = Admission::State::kGone;
  --size_;
  bytes_ -= kConnectionBytes + admission.held_[0] + admission.held_[1];
  if (--admission.address_.size == 0) addresses_.erase(asio::ip::address(admission.address_.key));
}

}  // namespace devicetrust::net
