using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <summary>Follows the references of one method along its paths.</summary>
/// <remarks>
/// <para>
/// A path is a <see cref="FlowState"/>: states are not joined where branches meet, only made one where they are equal. So a reference that is
/// released if a flag is set, and a flag that says whether it was taken, stay together. Some of these paths can't run, since conditions hang
/// together in ways that are not seen here. So at each branch a reference that stands differently on the paths that come in is doubtful from there on, if the branch decides on
/// anything done to it, and if the answer is not known from the reference itself (see <see cref="TokenState.IsDoubtful"/>). Of what is doubtful nothing is said. What is said holds
/// as long as both ways of each branch can run at all; a test makes up methods and runs all their paths to hold this.
/// </para>
/// <para>
/// Only paths without exceptions are followed, a catch block from the state at the start of its try. A method with too many paths is left alone.
/// </para>
/// </remarks>
internal sealed partial class MethodFlow
{
    /// <summary>More states than this in one block, or more steps than that in all, and the method is left alone: silence, not a slow build.</summary>
    private const int MaximumStates = 160;
    private const int MaximumSteps = 12_000;

    private readonly Graph _graph;
    private readonly QuireSymbols _symbols;
    private readonly HashSet<ISymbol> _shared;
    private readonly IMethodSymbol _method;
    private readonly CancellationToken _cancellation;
    private readonly Dictionary<(SyntaxNode Syntax, string Part), TokenSite> _siteNumbers = [];
    private readonly List<TokenSite> _sites = [];
    private readonly List<ReleaseSite> _releases = [];
    private readonly Dictionary<SyntaxNode, int> _releaseNumbers = [];

    /// <summary>Reference and branch: how the reference stood when a path first came there, and whether it stood otherwise on another.</summary>
    private readonly Dictionary<(int Token, int Block), (int First, bool Varies)> _incoming = [];
    private HashSet<(int Token, int Block)> _varies = [];
    private Findings _findings = new();
    private int _steps;

    private MethodFlow(Graph graph, IMethodSymbol method, HashSet<ISymbol> shared, QuireSymbols symbols, CancellationToken cancellation)
    {
        _graph = graph;
        _method = method;
        _shared = shared;
        _symbols = symbols;
        _cancellation = cancellation;
    }

    /// <summary>What is wrong in one body.</summary>
    internal static IEnumerable<Diagnostic> Find(ControlFlowGraph graph, IMethodSymbol method, HashSet<ISymbol> shared, QuireSymbols symbols, CancellationToken cancellation)
    {
        MethodFlow flow = new(new Graph(graph, symbols), method, shared, symbols, cancellation);
        try
        {
            // What varies at a branch is known after a run, and what is doubtful depends on it: again until nothing is added.
            for (int round = 0; round < 8; round++)
            {
                flow._findings = new Findings();
                flow._steps = 0;
                int sites = flow._sites.Count;
                flow.RunOnce();
                HashSet<(int Token, int Block)> varies = [.. flow._incoming.Where(static entry => entry.Value.Varies).Select(static entry => entry.Key)];
                if (sites == flow._sites.Count && varies.SetEquals(flow._varies))
                {
                    return flow._findings.All;
                }

                flow._varies = varies;
            }
        }
        catch (TooManyPathsException)
        {
        }

        return [];
    }

    private void RunOnce()
    {
        FlowState start = new(_graph.Slots);
        foreach (IParameterSymbol parameter in _method.Parameters)
        {
            // The caller of a method with a handle may expect it to release the handle, or not to.
            if (parameter.RefKind == RefKind.None && _graph.SlotOf(parameter) is >= 0 and int slot && _symbols.OwnerOf(parameter.Type) is { } type && IsFollowed(parameter)
                && parameter.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax(_cancellation) is { } syntax)
            {
                TokenSite site = SiteOf(syntax, "", type, null);
                start.SetToken(site.Number * 2, new TokenState(Status.Foreign));
                SetSlot(start, slot, new Value(ValueKind.Owner, site.Number * 2));
            }
        }

        Walk walk = new();
        Enter(walk, 0, start);
        Drain(walk);
    }

    /// <summary>The states met in one walk: of the whole method, or of a finally block for one state that leaves its try.</summary>
    private sealed class Walk
    {
        internal Dictionary<int, HashSet<FlowState>> Seen { get; } = [];

        internal Stack<(int Block, FlowState State)> Open { get; } = new();

        /// <summary>The region that is walked alone, and what came out at its end.</summary>
        internal ControlFlowRegion? Region { get; set; }

        internal List<FlowState> Ends { get; } = [];
    }

    private static void Enter(Walk walk, int block, FlowState state)
    {
        if (!walk.Seen.TryGetValue(block, out HashSet<FlowState>? seen))
        {
            walk.Seen[block] = seen = [];
        }

        if (seen.Add(state))
        {
            if (seen.Count > MaximumStates)
            {
                throw new TooManyPathsException();
            }

            walk.Open.Push((block, state));
        }
    }

    private void Drain(Walk walk)
    {
        while (walk.Open.Count > 0)
        {
            if (++_steps > MaximumSteps)
            {
                throw new TooManyPathsException();
            }

            _cancellation.ThrowIfCancellationRequested();
            (int block, FlowState state) = walk.Open.Pop();
            Step(walk, _graph.Flow.Blocks[block], state);
        }
    }

    private void Step(Walk walk, BasicBlock block, FlowState state)
    {
        List<FlowState> states = [state.Copy()];
        foreach (IOperation operation in block.Operations)
        {
            List<FlowState> after = [];
            foreach (FlowState before in states)
            {
                foreach ((FlowState next, _) in Evaluations(before, operation, isReturned: false))
                {
                    after.Add(next);
                }
            }

            states = after;
        }

        foreach (FlowState last in states)
        {
            if (block.BranchValue is { } value)
            {
                bool isReturned = block.ConditionKind == ControlFlowConditionKind.None;
                foreach ((FlowState next, Value result) in Evaluations(last, value, isReturned))
                {
                    Branch(walk, block, next, result);
                }
            }
            else
            {
                Branch(walk, block, last, Value.Unknown);
            }
        }
    }

    private void Branch(Walk walk, BasicBlock block, FlowState state, Value value)
    {
        if (block.ConditionKind == ControlFlowConditionKind.None)
        {
            Follow(walk, block, block.FallThroughSuccessor, state, value);
            return;
        }

        foreach (bool answer in (bool[])[true, false])
        {
            if (Assume(block, state, value, answer) is { } next)
            {
                bool jumps = answer == (block.ConditionKind == ControlFlowConditionKind.WhenTrue);
                Follow(walk, block, jumps ? block.ConditionalSuccessor : block.FallThroughSuccessor, next, Value.Unknown);
            }
        }
    }

    private void Follow(Walk walk, BasicBlock block, ControlFlowBranch? branch, FlowState state, Value value)
    {
        if (branch is null)
        {
            return;
        }

        if (branch.Semantics == ControlFlowBranchSemantics.StructuredExceptionHandling)
        {
            walk.Ends.Add(state);
            return;
        }

        if (branch.Destination is not { } destination || branch.Semantics is not (ControlFlowBranchSemantics.Regular or ControlFlowBranchSemantics.Return))
        {
            // Thrown, or cannot be.
            return;
        }

        foreach (FlowState left in Finally(branch.FinallyRegions, 0, state))
        {
            bool isEnd = destination.Kind == BasicBlockKind.Exit;
            if (isEnd)
            {
                Return(left, value, block);
            }

            foreach (ControlFlowRegion region in branch.LeavingRegions)
            {
                Leave(left, region, block, isEnd);
            }

            if (isEnd)
            {
                End(left, block);
                continue;
            }

            if (destination.Ordinal <= block.Ordinal)
            {
                left.RemoveFacts(_graph.Conditions.ReadsHeap);
            }

            foreach (ControlFlowRegion region in branch.EnteringRegions)
            {
                EnterHandlers(walk, region, left);
            }

            Enter(walk, destination.Ordinal, left);
        }
    }

    /// <summary>The states after the finally blocks that a branch leaves through.</summary>
    private IEnumerable<FlowState> Finally(ImmutableArray<ControlFlowRegion> regions, int at, FlowState state)
    {
        if (at == regions.Length)
        {
            return [state];
        }

        Walk walk = new() { Region = regions[at] };
        foreach (ControlFlowRegion nested in RegionsAt(regions[at]))
        {
            EnterHandlers(walk, nested, state);
        }

        Enter(walk, regions[at].FirstBlockOrdinal, state);
        Drain(walk);
        HashSet<FlowState> ends = [.. walk.Ends];
        return ends.SelectMany(end => Finally(regions, at + 1, end.Copy()));
    }

    /// <summary>Tries that begin with the first block of a region.</summary>
    private static IEnumerable<ControlFlowRegion> RegionsAt(ControlFlowRegion region) =>
        region.NestedRegions.Where(nested => nested.FirstBlockOrdinal == region.FirstBlockOrdinal).SelectMany(nested => RegionsAt(nested).Prepend(nested));

    /// <summary>
    /// A catch block starts with what was true when its try began, less all that the try may have changed. So what is caught in passing is no reason to report;
    /// a reference that the try only looks at is.
    /// </summary>
    private void EnterHandlers(Walk walk, ControlFlowRegion region, FlowState state)
    {
        if (region.Kind != ControlFlowRegionKind.TryAndCatch)
        {
            return;
        }

        ControlFlowRegion body = region.NestedRegions[0];
        FlowState caught = state.Copy();
        for (int block = body.FirstBlockOrdinal; block <= body.LastBlockOrdinal; block++)
        {
            foreach (int slot in _graph.TouchedBy(block))
            {
                if (caught[slot].HasToken)
                {
                    Escape(caught, caught[slot]);
                }
            }

            foreach (int slot in _graph.WrittenBy(block))
            {
                caught[slot] = Value.Unknown;
                Forget(caught, slot);
            }
        }

        foreach (ControlFlowRegion handler in region.NestedRegions.Skip(1))
        {
            Enter(walk, handler.FirstBlockOrdinal, caught);
        }
    }

    /// <summary>Locals go out of scope: whatever only they held can't be released any more.</summary>
    private void Leave(FlowState state, ControlFlowRegion region, BasicBlock block, bool isEnd)
    {
        foreach (ILocalSymbol local in region.Locals)
        {
            if (_graph.SlotOf(local) is >= 0 and int slot)
            {
                Leave(state, slot, block, isEnd);
            }
        }

        foreach (CaptureId capture in region.CaptureIds)
        {
            if (_graph.SlotOf(capture) is >= 0 and int slot)
            {
                Leave(state, slot, block, isEnd);
            }
        }
    }

    private void Leave(FlowState state, int slot, BasicBlock block, bool isEnd)
    {
        Value value = state[slot];
        state[slot] = Value.Unknown;
        Forget(state, slot);
        if (value.Token >= 0 && !state.IsHeld(value.Token))
        {
            TokenState token = state.Token(value.Token);
            if (token.Is(Status.Owned) && value.Releases)
            {
                ReportNotReleased(value.Token, slot, block, isEnd);
            }

            // Views of it may be about still: those of a released one are watched.
            if (token.Status == Status.Owned)
            {
                state.SetToken(value.Token, new TokenState(Status.Escaped));
            }

            Settle(state, value.Token);
        }
    }

    /// <summary>What no local knows any more is the same on all paths.</summary>
    private static void Settle(FlowState state, int token)
    {
        for (int slot = 0; slot < state.Slots; slot++)
        {
            if (state[slot].HasToken && state[slot].Token == token)
            {
                return;
            }
        }

        state.SetToken(token, default);
    }

    private void End(FlowState state, BasicBlock block)
    {
        for (int token = 0; token < state.Tokens; token++)
        {
            if (state.Token(token).Is(Status.Owned))
            {
                ReportNotReleased(token, -1, block, isEnd: true);
            }
        }
    }

    private sealed class TooManyPathsException : Exception;
}
