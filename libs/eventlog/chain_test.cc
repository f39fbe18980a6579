#include "libs/eventlog/chain.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"

namespace devicetrust::eventlog {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string Octets(const Hash& hash) { return {hash.begin(), hash.end()}; }

// Events e1, e2 … with sequences 10, 20 …
std::vector<v1::Event> Chain(int count, Hash before = kNoHash) {
  std::vector<v1::Event> events;
  for (int i = 1; i <= count; ++i) {
    v1::Event event;
    event.set_id("e" + std::to_string(i));
    event.set_type("x");
    event.set_sequence(i * 10);
    const Hash hash = LinkHash(before, event.sequence(), ContentHash(event));
    event.mutable_chain()->set_previous_hash(Octets(before));
    event.mutable_chain()->set_hash(Octets(hash));
    before = hash;
    events.push_back(event);
  }
  return events;
}

// What is wrong with them; empty: nothing.
std::string Verify(ChainVerifier verifier, const std::vector<v1::Event>& events) {
  for (const v1::Event& event : events) {
    if (!verifier.Add(ChainedEventOf(event))) return verifier.problem();
  }
  return verifier.problem();
}

// By Python: sha256(b"\0"*32 + (10).to_bytes(8, "big") + sha256(canonical).digest()).
TEST(ChainTest, HashIsWhatTheDocumentSays) {
  EXPECT_EQ(HexEncode(LinkHash(kNoHash, 10, pki::Sha256("{}"))),
            "b4629166d165ab5d7aa58038c81ac916da82da69576fe1137493f4aadd37ffe2");
}

TEST(ChainTest, AWholeChainHolds) {
  const auto events = Chain(5);
  EXPECT_EQ(Verify(ChainVerifier(kNoHash), events), "");
  EXPECT_EQ(Verify(ChainVerifier(), {events.begin() + 2, events.end()}), "");
  ChainVerifier verifier(kNoHash);
  for (const v1::Event& event : events) EXPECT_TRUE(verifier.Add(ChainedEventOf(event)));
  EXPECT_EQ(verifier.verified(), 5);
  EXPECT_TRUE(verifier.EndsWith(50, *HashFrom(events[4].chain().hash())));
}

TEST(ChainTest, SaysFromWhereOnItDoesNotHold) {
  auto changed = Chain(5);
  changed[2].set_type("y");
  EXPECT_EQ(Verify(ChainVerifier(kNoHash), changed),
            "event e3 of 1970-01-01T00:00:00Z, sequence 30: its content is not what was written");
  auto moved = Chain(5);
  moved[2].set_sequence(31);
  EXPECT_NE(Verify(ChainVerifier(kNoHash), moved).find("event e3"), std::string::npos);
  auto removed = Chain(5);
  removed.erase(removed.begin() + 1);
  EXPECT_NE(Verify(ChainVerifier(kNoHash), removed).find("event e3 of"), std::string::npos);
  EXPECT_NE(Verify(ChainVerifier(kNoHash), removed).find("were removed"), std::string::npos);
  auto doubled = Chain(3);
  doubled.push_back(doubled[2]);
  EXPECT_NE(Verify(ChainVerifier(kNoHash), doubled).find("double"), std::string::npos);
  auto first_gone = Chain(3);
  first_gone.erase(first_gone.begin());
  EXPECT_NE(Verify(ChainVerifier(kNoHash), first_gone).find("event e2"), std::string::npos);
  auto forged = Chain(3);
  forged[1].clear_chain();
  EXPECT_NE(Verify(ChainVerifier(kNoHash), forged).find("carries no hash"), std::string::npos);
}

TEST(ChainTest, EventsFromBeforeTheChainNeedNone) {
  std::vector<v1::Event> events(1);
  events[0].set_sequence(5);
  for (const v1::Event& event : Chain(2)) events.push_back(event);
  ChainVerifier verifier(kNoHash);
  verifier.SetChainedFrom(10);
  EXPECT_EQ(Verify(verifier, events), "");
  EXPECT_NE(Verify(ChainVerifier(kNoHash), events), "");
  std::swap(events[0], events[1]);
  events[1].set_sequence(15);
  verifier = ChainVerifier(kNoHash);
  verifier.SetChainedFrom(100);
  EXPECT_NE(Verify(verifier, events).find("carries no hash"), std::string::npos);
}

TEST(ChainTest, ACutTailAndAnotherHistoryAreSeenByTheHead) {
  const auto events = Chain(3);
  const Hash head = *HashFrom(events[2].chain().hash());
  ChainVerifier cut(kNoHash);
  EXPECT_TRUE(cut.Add(ChainedEventOf(events[0])));
  EXPECT_FALSE(cut.EndsWith(30, head));
  EXPECT_NE(cut.problem().find("were removed"), std::string::npos);
  Hash start = kNoHash;
  start[0] = 1;
  ChainVerifier rewritten(start);
  for (const v1::Event& event : Chain(3, start)) {
    EXPECT_TRUE(rewritten.Add(ChainedEventOf(event)));
  }
  EXPECT_FALSE(rewritten.EndsWith(30, head));
  EXPECT_NE(rewritten.problem().find("replaced"), std::string::npos);
}

TEST(ChainTest, AHeadIsSignedOverAllOfIt) {
  const auto key = pki::PrivateKey::Generate().value();
  v1::LogHead head;
  head.set_org("acme");
  head.set_sequence(30);
  head.set_hash(std::string(32, 'h'));
  head.mutable_at()->set_seconds(1'780'272'000);
  const Bytes signature = key.SignEs256(HeadText(head)).value();
  head.set_signature(std::string(signature.begin(), signature.end()));
  DT_EXPECT_OK(CheckHead(head, key.public_key()));
  v1::LogHead other = head;
  other.set_org("other");
  DT_EXPECT_CODE(CheckHead(other, key.public_key()), kPermissionDenied);
  other = head;
  other.set_sequence(31);
  DT_EXPECT_CODE(CheckHead(other, key.public_key()), kPermissionDenied);
  other = head;
  other.mutable_at()->set_seconds(1);
  DT_EXPECT_CODE(CheckHead(other, key.public_key()), kPermissionDenied);
  DT_EXPECT_CODE(CheckHead(head, pki::PrivateKey::Generate()->public_key()), kPermissionDenied);
}

}  // namespace
}  // namespace devicetrust::eventlog
