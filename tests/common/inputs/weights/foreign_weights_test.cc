#include "common/inputs/weights/foreign_weights.h"

#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using train::ScratchFolder;

class ForeignWeightsTest : public ::testing::Test {
 protected:
  std::string Of(const std::string& file, const std::string& text = "x") const {
    const ScratchFolder folder;
    folder.Put("m/config.json", "{}");
    folder.Put("m/" + file, text);
    return ForeignWeights(folder / "m", true);
  }
};

TEST_F(ForeignWeightsTest, EachKindIsNamedWithTheWayOut) {
  EXPECT_THAT(Of("pytorch_model.bin"),
              AllOf(HasSubstr("pickle"), HasSubstr("from_pretrained(d).save_pretrained(d + ")));
  EXPECT_THAT(Of("pytorch_model-00001-of-00002.bin"), HasSubstr("pickle"));
  EXPECT_THAT(Of("gemma-q4_k_m.gguf"),
              AllOf(HasSubstr("GGUF"), HasSubstr("gguf_file='gemma-q4_k_m.gguf'")));
  EXPECT_THAT(Of("model.fp16.safetensors"),
              AllOf(HasSubstr("variant"), HasSubstr("variant='fp16'")));
  EXPECT_THAT(Of("model.safetensors.index.bf16.json"), HasSubstr("variant='bf16'"));
  EXPECT_THAT(Of("model.fp16-00001-of-00002.safetensors"), HasSubstr("variant='fp16'"));
  EXPECT_THAT(Of("consolidated.safetensors"), HasSubstr("the layout of the original release"));
  EXPECT_THAT(Of("consolidated.00.pth"), HasSubstr("the layout of the original release"));
  EXPECT_THAT(Of("model-00001-of-00003.safetensors"), HasSubstr("not all shards"));
  EXPECT_THAT(Of("model.pt"), HasSubstr("pickle"));
  EXPECT_THAT(Of("epoch=1.ckpt"), HasSubstr("pickle"));
  EXPECT_THAT(Of("__0_0.distcp"), HasSubstr("dcp_to_torch"));
  EXPECT_THAT(Of("zero_to_fp32.py"), HasSubstr("DeepSpeed"));
  EXPECT_THAT(Of("flax_model.msgpack"), HasSubstr("Flax"));
  EXPECT_THAT(Of("tf_model.h5"), HasSubstr("TensorFlow"));
  EXPECT_THAT(Of("model.onnx"), HasSubstr("ONNX"));
  EXPECT_THAT(Of("weights.safetensors"), HasSubstr("rename it"));
  EXPECT_EQ(Of("README.md"), "");
}

TEST_F(ForeignWeightsTest, AnAdapterIsNoModel) {
  const ScratchFolder folder;
  folder.Put("a/adapter_config.json",
             R"({"peft_type": "LORA", "base_model_name_or_path": "google/gemma-2-2b"})");
  folder.Put("a/adapter_model.safetensors", "x");
  EXPECT_THAT(
      ForeignWeights(folder / "a", false),
      AllOf(HasSubstr("a LoRA adapter of google/gemma-2-2b, not a model"),
            HasSubstr("fpo-train export '" + folder / "a' --merge --model 'google/gemma-2-2b'")));
  // transformers would load the base and the adapter, not model.safetensors beside it.
  folder.Put("b/adapter_config.json", "{}");
  folder.Put("b/config.json", "{}");
  folder.Put("b/model.safetensors", "x");
  EXPECT_THAT(ForeignWeights(folder / "b", false), HasSubstr("beside model.safetensors"));
}

TEST_F(ForeignWeightsTest, FoldersAndFilesNearTheOneMeant) {
  const ScratchFolder folder;
  folder.Put("run/job.yaml", "x");
  folder.Put("run/checkpoints/step-2/manifest.json", "x");
  EXPECT_THAT(ForeignWeights(folder / "run", false), HasSubstr("run/checkpoints/step-N"));
  folder.Put("run/model/config.json", "x");
  EXPECT_THAT(ForeignWeights(folder / "run", false), HasSubstr("run/model, its result"));
  folder.Put("up/gemma/config.json", "x");
  EXPECT_THAT(ForeignWeights(folder / "up", false), HasSubstr("did you mean"));
  folder.Put("models--google--gemma/snapshots/abc/config.json", "x");
  EXPECT_THAT(ForeignWeights(folder / "models--google--gemma", false), HasSubstr("snapshots/abc"));
  EXPECT_THAT(ForeignWeights(folder.Put("x/y.gguf", "x"), false), HasSubstr("gguf_file='y.gguf'"));
  EXPECT_THAT(ForeignWeights(folder.Put("x/model.safetensors", "x"), false),
              HasSubstr("name the folder it is in"));
  EXPECT_EQ(ForeignWeights(folder / "nowhere", false), "");
}

}  // namespace
}  // namespace fpo
