// Which connections of one listener on one thread may be there, what they may hold of memory
// together, and which goes first when there is no room. Not thread-safe.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <list>
#include <map>
#include <memory>

#include "libs/base/task.h"

namespace devicetrust::net {

// One connection as its protocol serves it, on one thread from begin to end.
class Session {
 public:
  virtual ~Session() = default;

  // Serves until either side is done. Called once.
  virtual Task<void> Run() = 0;
  // Both at any time during Run(), which then ends.
  virtual void CloseWhenIdle() = 0;  // At once when idle, else after what is in hand.
  virtual void Cut() = 0;
};

class ConnectionTable;

// What a connection holds at the least: socket, session, timers, coroutines.
inline constexpr std::size_t kConnectionBytes = 4 * 1024;

// The place of one connection. A new one has yet to prove itself: it is first to go when there is
// no room. Destroyed before the table.
class Admission {
 public:
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // A request is in hand: not cut for the sake of others.
  void Busy();
  // Has had a request, and none is in hand: goes when nobody is left who had none.
  void Idle();

  // TLS and what is spoken over it know each its own.
  enum class Part : std::size_t { kTls, kProtocol };
  // Says what this connection holds from now on, beyond kConnectionBytes, in place of what it said
  // before. When that is too much in all, others go as for a newcomer. False: it was this one's
  // turn, or nobody was left who could go; it must end without taking the memory.
  bool Hold(Part part, std::size_t bytes);

 private:
  friend class ConnectionTable;
  enum class State : std::size_t { kNew, kIdle, kBusy, kGone };
  using List = std::list<Admission*>;
  struct Address;

  Admission(ConnectionTable& table, Address& address) : table_(table), address_(address) {}
  void MoveTo(State state);

  ConnectionTable& table_;
  Address& address_;
  Session* session_ = nullptr;
  State state_ = State::kNew;
  std::size_t held_[2] = {0, 0};  // By Part.
  List::iterator in_all_;
  List::iterator in_address_;
};

class ConnectionTable {
 public:
  // `per_address_max` 0: no bound. Addresses of one IPv6 /64 are one, since whoever has one has
  // them all. `bytes_max`: of memory, by what connections say.
  ConnectionTable(std::size_t connections_max, std::size_t per_address_max, std::size_t bytes_max);
  ~ConnectionTable();
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // A place for a connection of that address. When there is none left, of all or of its address,
  // or no memory, who may go is cut: the oldest without a request so far where those have a quarter
  // of the places, else the one that has been idle longest, else the other. Null: all are busy.
  std::unique_ptr<Admission> Admit(const boost::asio::ip::address& address);
  // Says what to cut. False when the place was given to another meanwhile.
  static bool Attach(Admission& admission, Session& session) {
    admission.session_ = &session;
    return admission.state_ != Admission::State::kGone;
  }

  // Cuts one as Admit() would; false when all are busy.
  bool MakeRoom();

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t evicted() const { return evicted_; }  // Cut for others so far.

 private:
  friend class Admission;
  struct Lists {
    Admission::List of[3];  // By State; each in the order of arrival there.
  };

  bool Evict(Lists& lists);
  void Remove(Admission& admission);

  const std::size_t connections_max_;
  const std::size_t per_address_max_;
  const std::size_t bytes_max_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::size_t evicted_ = 0;
  Lists all_;
  std::map<boost::asio::ip::address, std::unique_ptr<Admission::Address>> addresses_;
};

}  // namespace devicetrust::net
