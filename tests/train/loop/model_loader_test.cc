#include "train/loop/model_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/train/support/tiny_run.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/export/export_policy.h"
#include "train/formats/safetensors_directory.h"
#include "train/prepare/model_tokenizer.h"

namespace fpo::train {
namespace {

TensorMap ParametersOf(const LoadedModel& loaded) {
  return {loaded.model.Parameters().begin(), loaded.model.Parameters().end()};
}

using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(ModelLoader, DigestIgnoresTheFoldersName) {
  const TinyRun tiny;
  fs::copy(tiny.Path("model"), tiny.Path("renamed"), fs::copy_options::recursive);
  tiny.WriteModel("other", 2);
  const auto a = LoadModel({tiny.Path("model"), "float32"});
  const auto b = LoadModel({tiny.Path("renamed"), "bfloat16"});
  const auto c = LoadModel({tiny.Path("other"), "float32"});
  ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status();
  EXPECT_EQ(a->digest, b->digest);
  EXPECT_NE(a->digest, c->digest);
  EXPECT_EQ(b->model.dtype(), at::kBFloat16);
  EXPECT_EQ(IdentifyModel(tiny.Path("model"))->digest, a->digest);
}

TEST(ModelLoader, MappedWeightsAreThoseOfTheModel) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32", at::kCPU, true});
  const auto mapped = MapWeights(tiny.Path("model"));
  ASSERT_TRUE(model.ok() && mapped.ok()) << mapped.status();
  EXPECT_EQ(mapped->size(), model->model.Parameters().size());
  for (const auto& [name, parameter] : model->model.Parameters()) {
    ASSERT_EQ(mapped->count(name), 1u) << name;
    EXPECT_TRUE(at::equal(mapped->at(name).to(at::kFloat), parameter.detach())) << name;
  }
}

TEST(ModelLoader, TrainableOwnsItsMemory) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32", at::kCPU, true});
  ASSERT_TRUE(model.ok());
  EXPECT_TRUE(model->model.Parameters().front().second.requires_grad());
}

// The digest names the bytes that are computed with: a mapped file that is written in place, as by
// rsync --inplace, would change them.
TEST(ModelLoader, AModelThatIsWrittenWhileItIsUsedIsNoticed) {
  const TinyRun tiny;
  const std::string weights = tiny.Path("model/model.safetensors");
  const auto before = fs::last_write_time(weights) - std::chrono::hours(1);
  fs::last_write_time(weights, before);
  const auto frozen = LoadModel({tiny.Path("model"), "float32"});
  const auto own = LoadModel({tiny.Path("model"), "float32", at::kCPU, true});
  ASSERT_TRUE(frozen.ok() && own.ok());
  EXPECT_TRUE(frozen->CheckUnchanged().ok());
  std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  file.write("\0\0\0\0", 4);
  file.close();
  EXPECT_THAT(std::string(frozen->CheckUnchanged().message()),
              HasSubstr("model.safetensors was changed while it was in use"));
  EXPECT_TRUE(own->CheckUnchanged().ok()) << "it has the weights in its own memory";
}

TEST(ModelLoader, SaysWhatIsWrongWithAFolder) {
  const TinyRun tiny;
  EXPECT_THAT(std::string(LoadModel({tiny.Path("nowhere")}).status().message()),
              HasSubstr("does not exist"));
  fs::create_directories(tiny.Path("empty"));
  EXPECT_THAT(std::string(LoadModel({tiny.Path("empty")}).status().message()),
              HasSubstr("config.json"));
  std::ofstream(tiny.Path("empty/config.json"))
      << "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 900\n";
  EXPECT_THAT(std::string(LoadModel({tiny.Path("empty")}).status().message()),
              HasSubstr("git lfs pull"));
  const std::string weights = tiny.Path("model/model.safetensors");
  fs::resize_file(weights, fs::file_size(weights) - 100);
  EXPECT_THAT(std::string(LoadModel({tiny.Path("model")}).status().message()),
              HasSubstr("model.safetensors"));
  EXPECT_FALSE(LoadModel({tiny.Path("model"), "float16"}).ok());
}

// What a loaded folder says, joined.
std::string NotesOf(const std::string& folder) {
  std::vector<std::string> notes;
  ModelRequest request{folder};
  request.warn = [&](const std::string& note) { notes.push_back(note); };
  const auto model = LoadModel(request);
  return model.ok() ? absl::StrJoin(notes, "\n") : std::string(model.status().message());
}

TensorMap TensorsOf(const std::string& folder) {
  const auto directory = SafetensorsDirectory::Open(folder);
  TensorMap tensors;
  for (const std::string& name : directory->Names())
    tensors[name] = directory->Tensor(name)->clone();
  return tensors;
}

// The weights that from_pretrained loads: those of model.safetensors.
TEST(ModelLoader, AStaleIndexBesideASingleFileIsNotRead) {
  const TinyRun tiny;
  tiny.WriteModel("new", 2);
  const std::string folder = tiny.Path("model");
  const TensorMap old = TensorsOf(folder);
  fs::remove(folder + "/model.safetensors");
  ASSERT_TRUE(WriteShardedSafetensors(folder, old, 4000).ok());
  ASSERT_TRUE(fs::exists(folder + "/model.safetensors.index.json"));
  EXPECT_EQ(NotesOf(folder), "");
  fs::copy(tiny.Path("new/model.safetensors"), folder + "/model.safetensors");
  EXPECT_EQ(IdentifyModel(folder)->digest, IdentifyModel(tiny.Path("new"))->digest);
  EXPECT_THAT(NotesOf(folder), HasSubstr("and the index is not"));
}

TEST(ModelLoader, TensorsThatTransformersIgnoresAreLeftOutAndSaid) {
  const TinyRun tiny;
  TensorMap tensors = TensorsOf(tiny.Path("model"));
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = at::ones({2});
  tensors["vision_tower.embeddings.position_ids"] = at::arange(4);
  tensors["score.weight"] = at::ones({2, 24});
  ASSERT_TRUE(WriteSafetensors(tiny.Path("model/model.safetensors"), tensors).ok());
  const std::string notes = NotesOf(tiny.Path("model"));
  EXPECT_THAT(notes, HasSubstr("inv_freq"));
  EXPECT_THAT(notes, HasSubstr("vision_tower"));
  EXPECT_THAT(notes, HasSubstr("score.weight"));
  const auto model = LoadModel({tiny.Path("model")});
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(
      ExportPolicy(Lazy(ParametersOf(*model)), {tiny.Path("model"), tiny.Path("copy"), at::kFloat})
          .ok());
  const TensorMap copy = TensorsOf(tiny.Path("copy"));
  EXPECT_EQ(copy.size(), tensors.size());
  EXPECT_TRUE(at::equal(copy.at("vision_tower.embeddings.position_ids"), at::arange(4)));
}

TEST(ModelLoader, TheModelWithoutItsHeadIsTheSameModel) {
  const TinyRun tiny;
  TensorMap headless;
  for (const auto& [name, tensor] : TensorsOf(tiny.Path("model")))
    headless[name.substr(6)] = tensor;
  fs::copy(tiny.Path("model"), tiny.Path("headless"));
  ASSERT_TRUE(WriteSafetensors(tiny.Path("headless/model.safetensors"), headless).ok());
  const auto plain = LoadModel({tiny.Path("model")}), same = LoadModel({tiny.Path("headless")});
  ASSERT_TRUE(same.ok()) << same.status();
  for (size_t i = 0; i < plain->model.Parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(plain->model.Parameters()[i].second, same->model.Parameters()[i].second));
  }
}

TEST(ModelLoader, HeadersThatDoNotFitAreNamedBeforeAnythingIsRead) {
  const TinyRun tiny;
  const TensorMap tensors = TensorsOf(tiny.Path("model"));
  const auto with = [&](const std::string& name, const at::Tensor& tensor) {
    TensorMap changed = tensors;
    changed[name] = tensor;
    EXPECT_TRUE(WriteSafetensors(tiny.Path("model/model.safetensors"), changed).ok());
    return NotesOf(tiny.Path("model"));
  };
  const std::string embedding = "model.embed_tokens.weight";
  const int64_t rows = tensors.at(embedding).size(0);
  const std::string cut = with(embedding, tensors.at(embedding).narrow(0, 0, rows - 3).clone());
  EXPECT_THAT(cut, HasSubstr(absl::StrCat("[", rows - 3, ", 24]")));
  EXPECT_THAT(cut, HasSubstr(absl::StrCat("[", rows, ", 24]")));
  EXPECT_THAT(cut, HasSubstr("vocab_size"));
  const std::string norm = "model.norm.weight";
  EXPECT_THAT(with(norm, tensors.at(norm).to(at::kFloat8_e4m3fn)), HasSubstr("F8_E4M3, quantised"));
  EXPECT_THAT(with(norm, tensors.at(norm).to(at::kChar)), HasSubstr("I8, quantised"));
  EXPECT_THAT(with("model.layers.0.mlp.up_proj.weight_scale", at::ones({1})),
              HasSubstr("quantised weights"));
}

// RUN/checkpoints/step-2 of a run that started from the model in `start`.
std::string PutCheckpoint(const TinyRun& tiny, const std::string& start,
                          const std::string& digest) {
  CheckpointContent content;
  content.step = 2;
  content.model = TensorsOf(tiny.Path("model"));
  content.model["model.norm.weight"].add_(0.5);
  content.optimizer["x"] = at::ones({1});
  content.state_json = absl::StrCat("{\"model_digest\": \"", digest, "\"}");
  const auto folder = CheckpointWriter(tiny.Path("run"), {}).Write(content);
  EXPECT_TRUE(folder.ok()) << folder.status();
  std::ofstream(tiny.Path("run/run.json"))
      << absl::StrCat("{\"model\": {\"path\": \"", start, "\"}}");
  return *folder;
}

TEST(ModelLoader, ACheckpointOfARunIsAModel) {
  const TinyRun tiny;
  const auto start = LoadModel({tiny.Path("model")});
  const std::string step = PutCheckpoint(tiny, tiny.Path("model"), start->digest);
  const auto model = LoadModel({step});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_NE(model->digest, start->digest);
  const auto norm = [](const LoadedModel& loaded) {
    return loaded.model.Parameters().back().second;
  };
  EXPECT_TRUE(at::allclose(norm(*model), norm(*start) + 0.5));
  // What it lacks comes from the run's start, also for the export of a run that starts from it.
  ASSERT_TRUE(ExportPolicy(Lazy(ParametersOf(*model)), {step, tiny.Path("copy"), at::kFloat}).ok());
  EXPECT_EQ(LoadModel({tiny.Path("copy")})->digest, model->digest);
  EXPECT_TRUE(fs::exists(tiny.Path("copy/config.json")));
}

TEST(ModelLoader, ACheckpointIsNotCombinedWithAnotherModelsFiles) {
  const TinyRun tiny;
  const std::string step =
      PutCheckpoint(tiny, tiny.Path("model"), IdentifyModel(tiny.Path("model"))->digest);
  tiny.WriteModel("other", 2);
  fs::copy(tiny.Path("other/model.safetensors"), tiny.Path("model/model.safetensors"),
           fs::copy_options::overwrite_existing);
  EXPECT_THAT(NotesOf(step), HasSubstr("another model is there now"));
  fs::remove_all(tiny.Path("model"));
  EXPECT_THAT(NotesOf(step), HasSubstr("copy config.json and the tokenizer files"));
}

TEST(ModelLoader, SaeOfTheWrongWidthNamesBothNumbers) {
  TinyRun::Options options;
  options.sae_width = 20;
  const TinyRun tiny(options);
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("sae/params.npz"), {}, ""}, config, at::kCPU);
  EXPECT_THAT(std::string(sae.status().message()), HasSubstr("20 wide"));
  EXPECT_THAT(std::string(sae.status().message()), HasSubstr("24 wide"));
}

TEST(ModelLoader, SaeKnowsItsSite) {
  const TinyRun tiny;
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("sae"), {}, ""}, config, at::kCPU);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->tap.layer, 1);
  EXPECT_EQ(sae->sae.features(), 32);
  EXPECT_FALSE(LoadSae({tiny.Path("sae"), 2, ""}, config, at::kCPU).ok());
}

}  // namespace
}  // namespace fpo::train
