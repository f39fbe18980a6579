#include "libs/kerberos/environment.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "libs/base/mutex.h"
#include "libs/kerberos/handles.h"

namespace devicetrust::kerberos {
namespace {

// Where UseLoopbackKdc() points; `version` changes with it, so that threads see it cheaply.
struct LoopbackKdc {
  Mutex mutex;
  std::vector<std::string> realms ABSL_GUARDED_BY(mutex);
  std::uint16_t port ABSL_GUARDED_BY(mutex) = 0;
  std::atomic<std::uint32_t> version{0};
};
LoopbackKdc& TheLoopbackKdc() {
  static LoopbackKdc kdc;
  return kdc;
}

constexpr int kKdcTimeoutMs = 1000;        // As long as libkrb5 waits before it asks again.
constexpr std::size_t kReplyMax = 65'536;  // Of UDP.
// First byte of a KRB-ERROR (application 30, RFC 4120 5.9.1).
constexpr std::uint8_t kKrbErrorTag = 0x7e;

// This thread's socket to the loopback KDC.
class KdcSocket {
 public:
  KdcSocket() = default;
  ~KdcSocket() { Close(); }
  KdcSocket(const KdcSocket&) = delete;
  KdcSocket& operator=(const KdcSocket&) = delete;

  // The answer's size, within `buffer`; 0 for none.
  std::size_t Ask(std::string_view realm, std::span<const std::uint8_t> question,
                  std::span<std::uint8_t> buffer) {
    Follow();
    if (std::ranges::find(realms_, realm) == realms_.end() || !Open()) return 0;
    if (::send(fd_, question.data(), question.size(), 0) < 0) return Fail();
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, kKdcTimeoutMs) != 1) return Fail();
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return got > 0 ? static_cast<std::size_t>(got) : Fail();
  }

  // Closed when UseLoopbackKdc() has pointed elsewhere since.
  void Follow() {
    LoopbackKdc& kdc = TheLoopbackKdc();
    if (kdc.version.load(std::memory_order_acquire) == version_) return;
    Close();
    const MutexLock lock(kdc.mutex);
    version_ = kdc.version.load(std::memory_order_relaxed);
    realms_ = kdc.realms;
    port_ = kdc.port;
  }

 private:
  bool Open() {
    if (fd_ >= 0) return true;
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Connected: only the KDC's datagrams arrive, and a dead one is an error at once.
    if (fd_ >= 0 &&
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return true;
    }
    Close();
    return false;
  }
  // The next question must not get this one's late answer.
  std::size_t Fail() {
    Close();
    return 0;
  }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  std::uint32_t version_ = 0;
  std::vector<std::string> realms_;
  std::uint16_t port_ = 0;
  int fd_ = -1;
};

KdcSocket& ThreadKdcSocket() {
  thread_local KdcSocket socket;
  return socket;
}

// libkrb5 calls it before it sends. No reply set: it goes on by itself.
krb5_error_code AskLoopbackKdc(krb5_context /*context*/, void* /*data*/, const krb5_data* realm,
                               const krb5_data* message, krb5_data** /*changed*/,
                               krb5_data** reply) {
  thread_local std::array<std::uint8_t, kReplyMax> buffer;
  const std::size_t size = ThreadKdcSocket().Ask(
      {realm->data, realm->length},
      {reinterpret_cast<const std::uint8_t*>(message->data), message->length}, buffer);
  if (size == 0 || buffer[0] == kKrbErrorTag) return 0;
  // libkrb5 frees both with free().
  auto* answer = static_cast<krb5_data*>(std::calloc(1, sizeof(krb5_data)));
  auto* bytes = static_cast<char*>(std::malloc(size));
  if (answer == nullptr || bytes == nullptr) {
    std::free(answer);
    std::free(bytes);
    return ENOMEM;
  }
  std::memcpy(bytes, buffer.data(), size);
  answer->magic = KV5M_DATA;
  answer->length = static_cast<unsigned>(size);
  answer->data = bytes;
  *reply = answer;
  return 0;
}

struct ContextHolder {
  krb5_context context = nullptr;
  std::string config;
  ~ContextHolder() { Reset(); }
  void Reset() {
    if (context != nullptr) krb5_free_context(context);
    context = nullptr;
  }
};

}  // namespace

absl::Status UseConfig(const std::string& krb5_config) {
  if (::access(krb5_config.c_str(), R_OK) != 0) {
    return absl::NotFoundError("Kerberos configuration is unreadable: " + krb5_config);
  }
  ::setenv("KRB5_CONFIG", krb5_config.c_str(), 1);
  ::setenv("KRB5CCNAME", "MEMORY:none", 1);
  ::setenv("KRB5_KTNAME", "MEMORY:none", 1);
  ::setenv("KRB5_CLIENT_KTNAME", "MEMORY:none", 1);
  return absl::OkStatus();
}

absl::StatusOr<std::string> UseMachineConfig() {
  const char* const named = std::getenv("KRB5_CONFIG");
  const std::string config = named != nullptr && *named != '\0' ? named : "/etc/krb5.conf";
  krb5_context context = nullptr;
  std::string cache;
  if (krb5_init_context(&context) == 0) {
    const char* const name = krb5_cc_default_name(context);
    if (name != nullptr) cache = name;
    krb5_free_context(context);
  }
  DT_RETURN_IF_ERROR(UseConfig(config));
  return cache;
}

absl::Status RequireConfig() {
  const char* config = std::getenv("KRB5_CONFIG");
  if (config != nullptr && *config != '\0') return absl::OkStatus();
  return MakeFailure(Failure::kMisconfigured,
                     "KRB5_CONFIG is not set; name the realm's krb5.conf, the machine's own is not "
                     "taken by default");
}

void UseLoopbackKdc(std::vector<std::string> realms, std::uint16_t port) {
  {
    LoopbackKdc& kdc = TheLoopbackKdc();
    const MutexLock lock(kdc.mutex);
    kdc.realms = std::move(realms);
    kdc.port = port;
    kdc.version.fetch_add(1, std::memory_order_release);
  }
  ThreadKdcSocket().Follow();
}

krb5_context ThreadContext() {
  thread_local ContextHolder holder;
  const char* config = std::getenv("KRB5_CONFIG");
  if (config == nullptr) return nullptr;
  if (holder.context == nullptr || holder.config != config) {
    holder.Reset();
    if (krb5_init_context(&holder.context) != 0) holder.context = nullptr;
    if (holder.context != nullptr) {
      krb5_set_kdc_send_hook(holder.context, &AskLoopbackKdc, nullptr);
    }
    holder.config = config;
  }
  return holder.context;
}

gss_OID SpnegoMechanism() {
  static gss_OID_desc spnego = {6, const_cast<char*>("\x2b\x06\x01\x05\x05\x02")};  // RFC 4178.
  return &spnego;
}

}  // namespace devicetrust::kerberos
