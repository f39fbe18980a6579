#include "libs/rpc/internal_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "libs/base/deadline.h"
#include "libs/net/stream.h"

namespace devicetrust::rpc {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Before the peer has called, and later.
constexpr std::chrono::milliseconds kLookSoon{100};
constexpr std::chrono::milliseconds kLookAgain{1'000};
// What gRPC holds for a handshake under way, as measured, rounded up.
constexpr std::size_t kGrpcHandshakeBytes = 72 * 1024;

// gRPC gets the socket once the first record of TLS is there. It is known by number and inode,
// since a second descriptor of the same socket would keep it in gRPC's epoll sets after gRPC has
// closed its own.
class InternalSession final : public net::Session {
 public:
  InternalSession(net::Connection connection, std::chrono::milliseconds handshake,
                  Handover& handover, Newcomers& newcomers)
      : socket_(std::move(connection.socket)),
        deadline_(socket_),
        handshake_(handshake),
        admission_(connection.admission),
        handover_(handover),
        newcomers_(newcomers),
        timer_(socket_.get_executor()),
        peer_(NameOf(connection.peer)),
        newcomer_(newcomers.Add(peer_, WhenCalled())) {}
  ~InternalSession() override { newcomers_.Remove(peer_, newcomer_); }

  Task<void> Run() override {
    error_code error;
    socket_.set_option(net::Tcp::no_delay(true), error);
    socket_.native_non_blocking(true, error);
    if (error || !Inode(socket_.native_handle(), inode_)) co_return;
    deadline_.Set(handshake_);
    if (co_await net::WaitForClientHello(socket_)) co_return;
    deadline_.Clear();
    if (!admission_.Hold(net::Admission::Part::kTls, kGrpcHandshakeBytes)) co_return;
    const int fd = socket_.release(error);
    if (error || !handover_.Give(fd)) co_return;
    fd_ = fd;
    while (!closing_ && IsOpen(fd_)) {
      timer_.expires_after(proven_ ? kLookAgain : kLookSoon);
      co_await timer_.async_wait(kAsTuple);
    }
  }

  // gRPC's server has been shut down, and has closed it.
  void CloseWhenIdle() override {
    closing_ = true;
    error_code ignored;
    socket_.close(ignored);  // While it is ours.
    timer_.cancel();
  }

  void Cut() override {
    // The number may be another socket's by now: look at what cannot change any more.
    const int own = fd_ < 0 ? -1 : fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (own >= 0 && IsOpen(own)) shutdown(own, SHUT_RDWR);
    if (own >= 0) close(own);
    CloseWhenIdle();
  }

 private:
  // A component that has called is not cut for the sake of others, nor in the sum.
  void Prove() {
    proven_ = true;
    admission_.Busy();
    admission_.Hold(net::Admission::Part::kTls, 0);
  }
  std::function<void()> WhenCalled() {
    return [executor = timer_.get_executor(), own = std::weak_ptr(self_)] {
      asio::post(executor, [own] {
        if (const auto self = own.lock()) (*self)->Prove();
      });
    };
  }
  static bool Inode(int fd, ino_t& inode) {
    struct stat status {};
    if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    inode = status.st_ino;
    return true;
  }
  bool IsOpen(int fd) const {
    ino_t inode = 0;
    return Inode(fd, inode) && inode == inode_;
  }
  // As gRPC writes it: with the number of a zone, and escaped.
  static std::string NameOf(const net::Tcp::endpoint& peer) {
    if (peer.address().is_v4()) {
      return fmt::format("ipv4:{}:{}", peer.address().to_string(), peer.port());
    }
    const asio::ip::address_v6 address = peer.address().to_v6();
    const std::string zone =
        address.scope_id() == 0 ? "" : fmt::format("%25{}", address.scope_id());
    return fmt::format("ipv6:%5B{}{}%5D:{}", asio::ip::address_v6(address.to_bytes()).to_string(),
                       zone, peer.port());
  }

  net::Tcp::socket socket_;
  Deadline deadline_;
  const std::chrono::milliseconds handshake_;
  net::Admission& admission_;
  Handover& handover_;
  Newcomers& newcomers_;
  asio::steady_timer timer_;
  const std::string peer_;
  // For what is posted, which may run after the session is gone.
  const std::shared_ptr<InternalSession*> self_ = std::make_shared<InternalSession*>(this);
  const Newcomers::Newcomer newcomer_;
  int fd_ = -1;  // gRPC's.
  ino_t inode_ = 0;
  bool proven_ = false;
  bool closing_ = false;
};

}  // namespace

std::unique_ptr<net::Session> NewInternalSession(net::Connection connection,
                                                 std::chrono::milliseconds handshake,
                                                 Handover& handover, Newcomers& newcomers) {
  return std::make_unique<InternalSession>(std::move(connection), handshake, handover, newcomers);
}

}  // namespace devicetrust::rpc
