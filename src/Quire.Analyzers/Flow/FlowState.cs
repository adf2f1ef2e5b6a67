namespace Quire.Analyzers.Flow;

/// <summary>What is known at one point on one path: what each local holds, how each reference stands, which conditions held.</summary>
/// <remarks>Paths with the same state are one path from there on. States are written while one block is worked through, and never after.</remarks>
internal sealed class FlowState : IEquatable<FlowState>
{
    private readonly Value[] _slots;
    private TokenState[] _tokens;
    private List<int> _facts;

    internal FlowState(int slots)
    {
        _slots = new Value[slots];
        for (int slot = 0; slot < slots; slot++)
        {
            _slots[slot] = Value.Unknown;
        }

        _tokens = [];
        _facts = [];
    }

    private FlowState(FlowState other)
    {
        _slots = (Value[])other._slots.Clone();
        _tokens = (TokenState[])other._tokens.Clone();
        _facts = [.. other._facts];
    }

    internal int Slots => _slots.Length;

    /// <summary>An assertion failed on this path: it does not go on.</summary>
    internal bool IsOver { get; set; }

    internal int Tokens => _tokens.Length;

    internal Value this[int slot]
    {
        get => _slots[slot];
        set => _slots[slot] = value;
    }

    internal FlowState Copy() => new(this);

    internal TokenState Token(int token) => token < _tokens.Length ? _tokens[token] : default;

    internal void SetToken(int token, TokenState state)
    {
        if (token >= _tokens.Length)
        {
            if (state.Equals(default))
            {
                return;
            }

            Array.Resize(ref _tokens, token + 1);
        }

        _tokens[token] = state;
    }

    /// <summary>A local, other than one, by which the reference can still be released.</summary>
    internal bool IsHeld(int token, int exceptBy = -1)
    {
        for (int slot = 0; slot < _slots.Length; slot++)
        {
            if (slot != exceptBy && _slots[slot].Token == token && _slots[slot].Releases)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A number for the reference's status and the locals that know it.</summary>
    internal int Standing(int token)
    {
        int standing = (int)Token(token).Status;
        for (int slot = 0; slot < _slots.Length; slot++)
        {
            if (_slots[slot].HasToken && _slots[slot].Token == token)
            {
                standing = (standing * 397) ^ ((slot * 16) + (int)_slots[slot].Kind + 16);
            }
        }

        return standing;
    }

    internal bool? Fact(int condition)
    {
        foreach (int fact in _facts)
        {
            if (fact >> 1 == condition)
            {
                return (fact & 1) != 0;
            }
        }

        return null;
    }

    internal void AddFact(int condition, bool value)
    {
        _facts.RemoveAll(fact => fact >> 1 == condition);
        _facts.Add((condition << 1) | (value ? 1 : 0));
        _facts.Sort();
    }

    internal void RemoveFacts(Predicate<int> condition) => _facts.RemoveAll(fact => condition(fact >> 1));

    public bool Equals(FlowState? other)
    {
        if (other is null || _slots.Length != other._slots.Length || !_slots.AsSpan().SequenceEqual(other._slots) || !_facts.SequenceEqual(other._facts))
        {
            return false;
        }

        for (int token = 0; token < Math.Max(_tokens.Length, other._tokens.Length); token++)
        {
            if (!Token(token).Equals(other.Token(token)))
            {
                return false;
            }
        }

        return true;
    }

    public override bool Equals(object? obj) => Equals(obj as FlowState);

    public override int GetHashCode()
    {
        int hash = 17;
        foreach (Value value in _slots)
        {
            hash = (hash * 31) + value.GetHashCode();
        }

        foreach (TokenState token in _tokens)
        {
            // Those at the end that are default are as if they were not there.
            hash += token.GetHashCode();
        }

        foreach (int fact in _facts)
        {
            hash = (hash * 31) + fact;
        }

        return hash;
    }
}
