using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <content>What becomes of a reference: taken, used, released, handed on, returned.</content>
internal sealed partial class MethodFlow
{
    /// <summary>A reference taken at a place that took one before, in an earlier round of a loop: that one keeps its state under the place's second number.</summary>
    private void TakeAgain(FlowState state, TokenSite site, Status status)
    {
        int now = site.Number * 2, earlier = now + 1;
        bool isAbout = false;
        for (int slot = 0; slot < state.Slots; slot++)
        {
            if (state[slot].Token == earlier || (state[slot].Token == now && state[slot].IsBool))
            {
                state[slot] = state[slot].IsBool ? Value.Of(state[slot].Kind == ValueKind.True) : Value.Unknown;
            }
            else if (state[slot].Token == now)
            {
                SetSlot(state, slot, new Value(state[slot].Kind, earlier));
                isAbout = true;
            }
        }

        state.SetToken(earlier, isAbout ? state.Token(now) : default);
        state.SetToken(now, new TokenState(status));
    }

    private void Use(FlowState state, int token, SyntaxNode syntax, string member)
    {
        if (state.Token(token).Is(Status.Released) && _sites[token / 2].Type.IsOnce)
        {
            ReportUsedAfterRelease(state, token, syntax, $"'{member}' needs it");
            state.SetToken(token, new TokenState(Status.Escaped));
        }
    }

    private void Release(FlowState state, Value value, IOperation? by, IOperation release)
    {
        int token = value.Token;
        int slot = by is null ? -1 : SlotOf(Unwrapped(by));
        TokenState before = state.Token(token);
        TokenSite site = _sites[token / 2];
        site.IsEverReleased = true;
        if (before.Status is Status.Escaped)
        {
            return;
        }

        int number = ReleaseOf(release.Syntax, slot, value.Kind == ValueKind.Lease);
        if (before.Is(Status.Released) && site.Type.IsOnce)
        {
            ReleaseSite earlier = _releases[before.ReleasedBy];
            if (earlier.IsLease && value.Kind == ValueKind.Lease)
            {
                // A lease knows that it is over.
                return;
            }

            ReportReleasedAgain(state, token, earlier, release.Syntax, slot);
            state.SetToken(token, new TokenState(Status.Escaped));
            return;
        }

        state.SetToken(token, new TokenState(Status.Released, before.IsDoubtful, number));
    }

    private static IOperation Unwrapped(IOperation operation)
    {
        while (operation is IConversionOperation conversion)
        {
            operation = conversion.Operand;
        }

        return operation;
    }

    /// <summary>Somebody else may have it from here on.</summary>
    private void Escape(FlowState state, Value value)
    {
        if (!value.HasToken || value.Kind == ValueKind.View)
        {
            return;
        }

        _sites[value.Token / 2].IsEverReleased = true;
        Status before = state.Token(value.Token).Status;
        state.SetToken(value.Token, new TokenState(Status.Escaped));
        if (before != Status.Escaped)
        {
            foreach (int needed in _sites[value.Token / 2].Needs)
            {
                Escape(state, new Value(ValueKind.Owner, needed));
            }
        }
    }

    /// <summary>What a method returns, after its finally blocks.</summary>
    private void Return(FlowState state, Value value, BasicBlock block)
    {
        if (!value.HasToken || block.BranchValue is not { } returned)
        {
            return;
        }

        TokenState token = state.Token(value.Token);
        if (token.Is(Status.Released) && _sites[value.Token / 2].Type.IsOnce)
        {
            if (value.Kind is ValueKind.View or ValueKind.Pointer)
            {
                ReportStaleView(state, value.Token, -1, returned.Syntax, "whoever gets it sees another's bytes");
            }
            else if (value.Kind == ValueKind.Owner)
            {
                ReportUsedAfterRelease(state, value.Token, returned.Syntax, "whoever gets it here can't use it");
            }
        }

        // A view that is given out may lead back to its owner, by its address or its manager.
        Escape(state, value.As(ValueKind.Owner));
    }

    private bool IsFollowed(ISymbol symbol) =>
        !_shared.Contains(symbol)
        && SymbolEqualityComparer.Default.Equals(symbol.ContainingSymbol, _method)
        && symbol is ILocalSymbol { RefKind: RefKind.None, IsStatic: false } or IParameterSymbol { RefKind: RefKind.None };

    private TokenSite SiteOf(SyntaxNode syntax, string part, OwnerType type, IMethodSymbol? method)
    {
        if (!_siteNumbers.TryGetValue((syntax, part), out TokenSite? site))
        {
            _siteNumbers[(syntax, part)] = site = new TokenSite(_sites.Count, type, syntax, method);
            _sites.Add(site);
        }

        return site;
    }

    private int ReleaseOf(SyntaxNode syntax, int slot, bool isLease)
    {
        if (!_releaseNumbers.TryGetValue(syntax, out int number))
        {
            _releaseNumbers[syntax] = number = _releases.Count;
            _releases.Add(new ReleaseSite(syntax, slot, isLease));
        }

        return number;
    }

    private void SetSlot(FlowState state, int slot, Value value)
    {
        state[slot] = value;
        if (value.Releases)
        {
            _sites[value.Token / 2].Slots.Add(slot);
        }
    }

    /// <summary>What was asked of a local before it was written says nothing now.</summary>
    private void Forget(FlowState state, int slot)
    {
        if (_graph.NameOf(slot) is { } symbol)
        {
            state.RemoveFacts(condition => _graph.Conditions.Reads(condition, symbol));
        }
    }
}
