using System.Collections;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <summary>One control flow graph with what is asked of it again and again: slots for locals, what each block touches, which blocks a branch decides on.</summary>
internal sealed class Graph
{
    private readonly Dictionary<ISymbol, int> _symbols = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<CaptureId, int> _captures = [];
    private readonly List<ISymbol?> _names = [];
    private readonly HashSet<int>[] _touched;
    private readonly HashSet<int>[] _written;
    private readonly HashSet<SyntaxNode>[] _syntax;
    private readonly BitArray?[] _postDominators;
    private readonly Dictionary<int, int[]> _decided = [];

    internal Graph(ControlFlowGraph flow, QuireSymbols symbols)
    {
        Flow = flow;
        Conditions = new ConditionTable(flow);
        int blocks = flow.Blocks.Length;
        _touched = new HashSet<int>[blocks];
        _written = new HashSet<int>[blocks];
        _syntax = new HashSet<SyntaxNode>[blocks];
        foreach (BasicBlock block in flow.Blocks)
        {
            _touched[block.Ordinal] = [];
            _written[block.Ordinal] = [];
            _syntax[block.Ordinal] = [];
            foreach (IOperation operation in OperationsOf(block))
            {
                Survey(operation, block.Ordinal, symbols);
            }
        }

        _postDominators = PostDominators();
    }

    internal ControlFlowGraph Flow { get; }

    internal ConditionTable Conditions { get; }

    internal int Slots => _names.Count;

    internal int SlotOf(ISymbol symbol) => _symbols.TryGetValue(symbol, out int slot) ? slot : -1;

    internal int SlotOf(CaptureId capture) => _captures.TryGetValue(capture, out int slot) ? slot : -1;

    /// <summary>The local or parameter of a slot; null for the compiler's own.</summary>
    internal ISymbol? NameOf(int slot) => slot < 0 ? null : _names[slot];

    /// <summary>Slots that a block does more with than look.</summary>
    internal HashSet<int> TouchedBy(int block) => _touched[block];

    internal HashSet<int> WrittenBy(int block) => _written[block];

    internal bool Contains(int block, SyntaxNode syntax) => _syntax[block].Contains(syntax);

    /// <summary>The blocks that run or do not run as a branch goes: those on the ways from it to the place where they meet again.</summary>
    internal int[] DecidedBy(BasicBlock branch)
    {
        if (_decided.TryGetValue(branch.Ordinal, out int[]? known))
        {
            return known;
        }

        HashSet<int> seen = [];
        Stack<int> open = new();
        BitArray? meeting = _postDominators[branch.Ordinal];
        foreach (int next in Next(branch))
        {
            open.Push(next);
        }

        while (open.Count > 0)
        {
            int at = open.Pop();
            if ((meeting is not null && meeting[at] && at != branch.Ordinal) || !seen.Add(at))
            {
                continue;
            }

            foreach (int next in Next(Flow.Blocks[at]))
            {
                open.Push(next);
            }
        }

        return _decided[branch.Ordinal] = [.. seen];
    }

    internal static IEnumerable<IOperation> OperationsOf(BasicBlock block)
    {
        foreach (IOperation operation in block.Operations)
        {
            yield return operation;
        }

        if (block.BranchValue is { } value)
        {
            yield return value;
        }
    }

    private void Survey(IOperation root, int block, QuireSymbols symbols)
    {
        foreach (IOperation operation in root.DescendantsAndSelf())
        {
            _syntax[block].Add(operation.Syntax);
            int slot;
            switch (operation)
            {
                case ILocalReferenceOperation or IParameterReferenceOperation:
                    slot = Add(Looks.Named(operation)!);
                    break;
                case IFlowCaptureOperation capture:
                    slot = Add(capture.Id);
                    _written[block].Add(slot);
                    break;
                case IFlowCaptureReferenceOperation reference:
                    slot = Add(reference.Id);
                    break;
                case IDeclarationPatternOperation { DeclaredSymbol: { } declared }:
                    slot = Add(declared);
                    _written[block].Add(slot);
                    continue;
                case IRecursivePatternOperation { DeclaredSymbol: { } declared }:
                    slot = Add(declared);
                    _written[block].Add(slot);
                    continue;
                default:
                    continue;
            }

            if (Looks.IsWritten(operation))
            {
                _written[block].Add(slot);
            }

            if (!Looks.IsLook(operation, symbols))
            {
                _touched[block].Add(slot);
            }
        }
    }

    private int Add(ISymbol symbol)
    {
        if (!_symbols.TryGetValue(symbol, out int slot))
        {
            _symbols[symbol] = slot = _names.Count;
            _names.Add(symbol);
        }

        return slot;
    }

    private int Add(CaptureId capture)
    {
        if (!_captures.TryGetValue(capture, out int slot))
        {
            _captures[capture] = slot = _names.Count;
            _names.Add(null);
        }

        return slot;
    }

    /// <summary>Where control may go from a block, as long as nothing is thrown; through the finally blocks on the way.</summary>
    private static IEnumerable<int> Next(BasicBlock block)
    {
        foreach (ControlFlowBranch? branch in (ControlFlowBranch?[])[block.FallThroughSuccessor, block.ConditionalSuccessor])
        {
            if (branch?.Destination is { } destination && branch.Semantics is ControlFlowBranchSemantics.Regular or ControlFlowBranchSemantics.Return)
            {
                if (branch.FinallyRegions.IsEmpty)
                {
                    yield return destination.Ordinal;
                }
                else
                {
                    // The finally blocks run, then the destination: both are named, which is all that is asked of this.
                    foreach (ControlFlowRegion region in branch.FinallyRegions)
                    {
                        yield return region.FirstBlockOrdinal;
                    }

                    yield return destination.Ordinal;
                }
            }
        }
    }

    /// <summary>For each block those that every way from it to the end passes; null for blocks from which there is no way to the end.</summary>
    private BitArray?[] PostDominators()
    {
        int blocks = Flow.Blocks.Length, exit = blocks - 1;
        List<int>[] next = new List<int>[blocks];
        for (int block = 0; block < blocks; block++)
        {
            // Without the finally blocks: they lie on each way that leaves them, and decide nothing.
            next[block] = [];
            foreach (ControlFlowBranch? branch in (ControlFlowBranch?[])[Flow.Blocks[block].FallThroughSuccessor, Flow.Blocks[block].ConditionalSuccessor])
            {
                if (branch?.Destination is { } destination && branch.Semantics is ControlFlowBranchSemantics.Regular or ControlFlowBranchSemantics.Return)
                {
                    next[block].Add(destination.Ordinal);
                }
                else if (branch?.Semantics == ControlFlowBranchSemantics.StructuredExceptionHandling)
                {
                    next[block].Add(exit);
                }
            }
        }

        BitArray?[] found = new BitArray?[blocks];
        found[exit] = new BitArray(blocks) { [exit] = true };
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int block = blocks - 2; block >= 0; block--)
            {
                BitArray? meet = null;
                foreach (int successor in next[block])
                {
                    if (found[successor] is { } after)
                    {
                        meet = meet is null ? new BitArray(after) : meet.And(after);
                    }
                }

                if (meet is null)
                {
                    continue;
                }

                meet[block] = true;
                if (found[block] is not { } before || !Same(before, meet))
                {
                    found[block] = meet;
                    changed = true;
                }
            }
        }

        return found;
    }

    private static bool Same(BitArray left, BitArray right)
    {
        for (int bit = 0; bit < left.Length; bit++)
        {
            if (left[bit] != right[bit])
            {
                return false;
            }
        }

        return true;
    }
}
