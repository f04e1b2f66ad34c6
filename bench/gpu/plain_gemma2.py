"""Gemma 2 in plain PyTorch, as transformers computes it: the peer where transformers is not installed."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.zeros(size)), eps

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * (1 + self.weight.float())).to(x.dtype)


def rotate(x, cos, sin):
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.size = config["hidden_size"], config["head_dim"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.scale, self.cap = config["query_pre_attn_scalar"] ** -0.5, config["attn_logit_softcapping"]
        self.q_proj = nn.Linear(hidden, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.size, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, hidden, bias=False)

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        query, key, value = (layer(x).view(batch, length, -1, self.size).transpose(1, 2)
                             for layer in (self.q_proj, self.k_proj, self.v_proj))
        query, key = rotate(query, cos, sin), rotate(key, cos, sin)
        groups = self.heads // self.kv_heads
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = torch.tanh(query @ key.transpose(2, 3) * self.scale / self.cap) * self.cap + mask
        weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        return self.o_proj((weights @ value).transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj, self.up_proj = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attn, self.mlp = Attention(config), Mlp(config)
        for name in ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"):
            setattr(self, name, Norm(config["hidden_size"], config["rms_norm_eps"]))

    def forward(self, x, cos, sin, mask):
        x = x + self.post_attention_layernorm(self.self_attn(self.input_layernorm(x), cos, sin, mask))
        return x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = Norm(config["hidden_size"], config["rms_norm_eps"])


class PlainGemma2(nn.Module):
    """Token ids [batch, length] and their mask to logits [batch, length, vocabulary]; padding is on the right."""

    def __init__(self, config):
        super().__init__()
        self.config, self.model = config, Body(config)
        nn.init.normal_(self.model.embed_tokens.weight, std=0.02)

    def masks(self, present, dtype):
        """Added to the scores of a sliding and of a full layer: [batch, 1, length, length]."""
        length = present.shape[1]
        distance = torch.arange(length, device=present.device)
        distance = distance[:, None] - distance[None, :]
        full = (distance >= 0)[None, None] & present[:, None, None, :].bool()
        sliding = full & (distance < self.config["sliding_window"])[None, None]
        least = torch.finfo(dtype).min
        return tuple(torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, least) for mask in (sliding, full))

    def forward(self, input_ids, attention_mask):
        config, model = self.config, self.model
        x = model.embed_tokens(input_ids)
        x = x * torch.tensor(math.sqrt(config["hidden_size"]), dtype=x.dtype, device=x.device)
        size = config["head_dim"]
        rates = config["rope_theta"] ** (-torch.arange(0, size, 2, device=x.device, dtype=torch.float32) / size)
        angles = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)[:, None] * rates[None, :]
        cos, sin = (torch.cat((part, part), dim=-1).to(x.dtype) for part in (angles.cos(), angles.sin()))
        masks = self.masks(attention_mask, x.dtype)
        for index, layer in enumerate(model.layers):
            x = layer(x, cos, sin, masks[index % 2])
        logits = F.linear(model.norm(x), model.embed_tokens.weight)
        cap = config["final_logit_softcapping"]
        return torch.tanh(logits / cap) * cap
