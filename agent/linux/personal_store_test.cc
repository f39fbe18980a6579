#include "agent/linux/personal_store.h"

#include <signal.h>
#include <spawn.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/enrollment_fixture.h"
#include "agent/linux/nss_database.h"
#include "libs/base/files.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::agent {
namespace {

namespace fs = std::filesystem;

// The flow's computer of the tests, with a store on disk.
class ComputerWithStore final : public FakeComputer {
 public:
  explicit ComputerWithStore(PersonalStore& on_disk) : on_disk_(on_disk) {}
  absl::StatusOr<std::vector<PersonalCertificate>> PersonalCertificates() const override {
    return on_disk_.Certificates();
  }
  absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                               WallTime renew_at) override {
    return on_disk_.Install(chain, key, renew_at);
  }
  absl::Status RemovePersonal(const pki::Certificate& certificate) override {
    return on_disk_.Remove(certificate);
  }
  absl::StatusOr<int> RemoveOrphanKeys() override { return on_disk_.RemoveOrphanKeys(); }
  absl::StatusOr<DeviceKey> CreateKey() override { return on_disk_.CreateKey(); }
  std::optional<DeviceKey> OpenPendingKey() const override { return on_disk_.OpenPendingKey(); }
  void DeletePendingKey() override { on_disk_.DeletePendingKey(); }

 private:
  PersonalStore& on_disk_;
};

// One for each kind of store.
class PersonalStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  PersonalStoreTest() {
    const std::string renewals = home() + "/renewals";
    if (GetParam()) {
      store_ = std::make_unique<NssStore>(home(), renewals, random_);
    } else {
      store_ = std::make_unique<FileStore>(home() + "/pem", renewals);
    }
  }
  std::string home() const { return folder_.path(); }
  pki::Certificate Certify(const DeviceKey& key) {
    return pki::SignCertificate({.common_name = "device",
                                 .serial_hex = fmt::format("{:02x}", ++serial_),
                                 .not_before = clock_.Now(),
                                 .not_after = clock_.Now() + std::chrono::days(365)},
                                key.signer.public_key(), ca_)
        .value();
  }
  // A certificate with its key, installed.
  pki::Certificate Install() {
    const auto key = store_->CreateKey();
    EXPECT_TRUE(key.ok()) << key.status();
    const pki::Certificate certificate = Certify(*key);
    DT_EXPECT_OK(store_->Install({certificate, ca_.certificate}, *key, kMoment));
    return certificate;
  }

  const WallTime kMoment = AtUnixSeconds(1'900'000'000);
  SystemClock clock_;
  throwaway::SeededRandom random_{1};
  testing::TempFolder folder_;
  const pki::Identity ca_ = throwaway::NewCa(std::string(kIssuerCommonName), clock_.Now());
  int serial_ = 0;
  std::unique_ptr<PersonalStore> store_;
};
INSTANTIATE_TEST_SUITE_P(All, PersonalStoreTest, ::testing::Bool(), [](const auto& kind) {
  return std::string(kind.param ? "Browsers" : "Files");
});

TEST_P(PersonalStoreTest, AKeyIsPendingUntilItsCertificateIsThere) {
  EXPECT_EQ(store_->Certificates().value().size(), 0u);
  EXPECT_FALSE(store_->OpenPendingKey());
  const auto key = store_->CreateKey();
  DT_ASSERT_OK(key);
  const auto opened = store_->OpenPendingKey();
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->signer.public_key() == key->signer.public_key());
  const auto signature = opened->signer.Sign(AsBytes("message"));
  DT_ASSERT_OK(signature);
  EXPECT_TRUE(key->signer.public_key().Verify(AsBytes("message"), *signature));

  const pki::Certificate certificate = Certify(*key);
  DT_ASSERT_OK(store_->Install({certificate, ca_.certificate}, *opened, kMoment));
  EXPECT_FALSE(store_->OpenPendingKey());
  const auto all = store_->Certificates();
  DT_ASSERT_OK(all);
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->at(0).certificate.Fingerprint(), certificate.Fingerprint());
  EXPECT_TRUE(all->at(0).has_key);
  EXPECT_EQ(all->at(0).renew_at, kMoment);
}

TEST_P(PersonalStoreTest, OfTwoOfOneSubjectTheNamedOneGoesWithItsKey) {
  const pki::Certificate former = Install();
  const pki::Certificate next = Install();
  EXPECT_EQ(store_->Certificates().value().size(), 2u);
  DT_ASSERT_OK(store_->Remove(former));
  DT_ASSERT_OK(store_->Remove(former));
  const auto all = store_->Certificates().value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].certificate.Fingerprint(), next.Fingerprint());
  EXPECT_TRUE(all[0].has_key);
  EXPECT_EQ(store_->RemoveOrphanKeys().value(), 0);
}

TEST_P(PersonalStoreTest, ANewKeyTakesThePlaceOfThePendingOne) {
  DT_ASSERT_OK(store_->CreateKey());
  const auto second = store_->CreateKey();
  DT_ASSERT_OK(second);
  EXPECT_TRUE(store_->OpenPendingKey()->signer.public_key() == second->signer.public_key());
  store_->DeletePendingKey();
  EXPECT_FALSE(store_->OpenPendingKey());
}

TEST_P(PersonalStoreTest, CarriesTheWholeFlow) {
  ComputerWithStore computer(*store_);
  FakeServices services(clock_);
  Enrollment first(computer, services, clock_, random_);
  const Outcome enrolled = first.Attempt();
  EXPECT_EQ(enrolled.kind, Kind::kEnrolled) << enrolled.status;
  Enrollment second(computer, services, clock_, random_);
  EXPECT_EQ(second.Attempt().kind, Kind::kNothingToDo);
  Enrollment forced(computer, services, clock_, random_, {.force_renewal = true});
  const Outcome renewed = forced.Attempt();
  EXPECT_EQ(renewed.kind, Kind::kEnrolled) << renewed.status;
  const auto all = store_->Certificates().value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].certificate.serial_hex(), renewed.serial);
  EXPECT_TRUE(all[0].has_key);
}

class NssStoreTest : public PersonalStoreTest {
 protected:
  std::string AddProfile(const std::string& name) {
    const std::string root = home() + "/.mozilla/firefox";
    fs::create_directories(root + "/" + name);
    std::ofstream(root + "/profiles.ini", std::ios::app)
        << "[Profile]\nName=" << name << "\nIsRelative=1\nPath=" << name << "\n\n";
    return root + "/" + name;
  }
  std::size_t Usable(const std::string& folder) {
    const auto database = NssDatabase::Open(folder, /*create=*/false);
    if (!database.ok()) return 0;
    const auto all = database->Certificates();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& entry) { return entry.has_key; }));
  }
  std::size_t KeysIn(const std::string& folder) {
    const auto database = NssDatabase::Open(folder, /*create=*/false);
    return database.ok() ? database->OurKeys().size() : 0;
  }
  std::string first() const { return home() + "/.pki/nssdb"; }
};
INSTANTIATE_TEST_SUITE_P(All, NssStoreTest, ::testing::Values(true),
                         [](const auto&) { return std::string("Browsers"); });

TEST_P(NssStoreTest, EveryFirefoxProfileGetsItAlsoALaterOne) {
  const std::string profile = AddProfile("one.default");
  const pki::Certificate certificate = Install();
  EXPECT_EQ(Usable(first()), 1u);
  EXPECT_EQ(Usable(profile), 1u);
  const std::string later = AddProfile("two.later");
  DT_ASSERT_OK(static_cast<NssStore&>(*store_).Share());
  EXPECT_EQ(Usable(later), 1u);
  EXPECT_EQ(store_->Certificates().value().size(), 1u);
  DT_ASSERT_OK(store_->Remove(certificate));
  for (const std::string& folder : {first(), profile, later}) {
    EXPECT_EQ(Usable(folder), 0u);
    EXPECT_EQ(KeysIn(folder), 0u);
  }
}

TEST_P(NssStoreTest, AProfileMayHaveAQuoteInItsName) {
  const std::string profile = AddProfile("ada's one");
  Install();
  EXPECT_EQ(Usable(profile), 1u);
  EXPECT_EQ(KeysIn(profile), 1u);
}

TEST_P(NssStoreTest, KeysThatAPowerCutLeftAreDeletedOthersStay) {
  Install();
  {
    auto database = NssDatabase::Open(first(), /*create=*/false).value();
    DT_ASSERT_OK(database.CreateKey(kKeyLabel));      // Its certificate is gone.
    DT_ASSERT_OK(database.CreateKey(kPendingLabel));  // The pending one stays.
    DT_ASSERT_OK(database.CreateKey("somebody else's"));
  }
  EXPECT_EQ(store_->RemoveOrphanKeys().value(), 1);
  EXPECT_TRUE(store_->OpenPendingKey());
  EXPECT_EQ(KeysIn(first()), 2u);
}

TEST_P(NssStoreTest, ANewerPlaceIsUsedWhereThereIsNoOldOne) {
  const std::string newer = home() + "/.local/share/pki/nssdb";
  DT_ASSERT_OK(NssDatabase::Open(newer, /*create=*/true));
  EXPECT_EQ(BrowserDatabases(home()), std::vector<std::string>{newer});
  Install();
  EXPECT_EQ(Usable(newer), 1u);
  EXPECT_FALSE(fs::exists(first()));
}

TEST_P(NssStoreTest, ADamagedOrProtectedDatabaseIsAnErrorNotAnEmptyStore) {
  Install();
  std::ofstream(first() + "/cert9.db", std::ios::trunc) << "this is no database, and was never one";
  const auto damaged = store_->Certificates();
  DT_EXPECT_CODE(damaged, kDataLoss);
  EXPECT_NE(std::string(damaged.status().message()).find(first()), std::string::npos);
  DT_EXPECT_CODE(store_->CreateKey(), kDataLoss);
}

// What a process of its own does, since NSS does not survive a fork: named by DT_TEST_CHILD, in the
// home DT_TEST_HOME. Exit code 0: well.
class Child final : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* const what = ::getenv("DT_TEST_CHILD");
    if (what == nullptr) return;
    home_ = ::getenv("DT_TEST_HOME");
    const std::string name = what;
    const bool well = name == "renews"             ? Renews()
                      : name == "has a usable one" ? HasAUsableOne()
                                                   : HasExactlyOne();
    ::_exit(well ? 0 : 1);
  }

 private:
  bool Renews() {
    throwaway::SeededRandom random(static_cast<std::uint64_t>(::getpid()));
    SystemClock clock;
    FakeServices services(clock);
    services.serial = ::atoi(::getenv("DT_TEST_SERIAL"));
    NssStore store(home_, home_ + "/renewals", random);
    ComputerWithStore computer(store);
    Enrollment enrollment(computer, services, clock, random, {.force_renewal = true});
    if (const int microseconds = ::atoi(::getenv("DT_TEST_KILL_AFTER")); microseconds > 0) {
      itimerval timer{};
      timer.it_value.tv_usec = microseconds;
      ::signal(SIGALRM, SIG_DFL);  // Ends the process where it stands.
      ::setitimer(ITIMER_REAL, &timer, nullptr);
    }
    const Outcome outcome = enrollment.Attempt();
    if (!outcome.status.ok()) fmt::print("{}\n", outcome.status.ToString());
    return outcome.kind == Kind::kEnrolled;
  }
  bool HasAUsableOne() {
    throwaway::SeededRandom random(1);
    const auto all = NssStore(home_, home_ + "/renewals", random).Certificates();
    return all.ok() &&
           std::any_of(all->begin(), all->end(), [](const auto& one) { return one.has_key; });
  }
  // One certificate, one key of ours, none pending, in each database.
  bool HasExactlyOne() {
    for (const std::string& folder : BrowserDatabases(home_)) {
      const auto database = NssDatabase::Open(folder, /*create=*/false);
      if (!database.ok() || database->Certificates().size() != 1) return false;
      const auto keys = database->OurKeys();
      if (keys.size() != 1 || !keys[0].has_certificate || keys[0].label != kKeyLabel) return false;
    }
    return true;
  }

  std::string home_;
};
::testing::Environment* const kChild = ::testing::AddGlobalTestEnvironment(new Child);

int RunChild(const std::string& what, const std::string& home, int serial, int kill_after) {
  const std::vector<std::string> settings = {"DT_TEST_CHILD=" + what, "DT_TEST_HOME=" + home,
                                             fmt::format("DT_TEST_SERIAL={}", serial),
                                             fmt::format("DT_TEST_KILL_AFTER={}", kill_after)};
  std::vector<char*> environment;
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  for (const std::string& setting : settings) {
    environment.push_back(const_cast<char*>(setting.c_str()));
  }
  environment.push_back(nullptr);
  const char* const words[] = {"dt_agent_linux_test", "--gtest_filter=NssKill.*", nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, const_cast<char**>(words),
                    environment.data()) != 0) {
    return -1;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// A process that ends anywhere inside a renewal, also in the middle of a write of NSS.
TEST(NssKill, LeavesTheOldOrTheNewOneUsableAndTheNextRunEndsWithOne) {
  testing::TempFolder folder;
  const std::string profile = folder.path() + "/.mozilla/firefox/a.default";
  fs::create_directories(profile);
  std::ofstream(folder.path() + "/.mozilla/firefox/profiles.ini")
      << "[Profile0]\nIsRelative=1\nPath=a.default\n";
  int serial = 16;
  ASSERT_EQ(RunChild("renews", folder.path(), serial, 0), 0);
  int killed = 0;
  for (int after = 5'000; killed == 0 || after < 200'000; after += 15'000) {
    serial += 16;
    const int status = RunChild("renews", folder.path(), serial, after);
    const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    ASSERT_TRUE(was_killed || status == 0) << status;
    killed += was_killed ? 1 : 0;
    ASSERT_EQ(RunChild("has a usable one", folder.path(), 0, 0), 0) << after;
    if (!was_killed) break;  // It was done before.
    serial += 16;
    ASSERT_EQ(RunChild("renews", folder.path(), serial, 0), 0) << after;
    ASSERT_EQ(RunChild("has exactly one", folder.path(), 0, 0), 0) << after;
  }
  EXPECT_GT(killed, 0);
}

}  // namespace
}  // namespace devicetrust::agent
