using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Quire.Analyzers.Flow;

/// <content>What locals get, and what they lose by it.</content>
internal sealed partial class MethodFlow
{
    private Value Assign(FlowState state, ISimpleAssignmentOperation assignment)
    {
        if (assignment.IsRef)
        {
            Escape(state, Evaluate(state, assignment.Value));
            Overwrite(state, assignment.Target);
            return Value.Unknown;
        }

        ISymbol? target = Looks.Named(assignment.Target) ?? (assignment.Target as IDeclarationExpressionOperation is { } declaration ? Looks.Named(declaration.Expression) : null);
        if (target is null && assignment.Target is IFlowCaptureReferenceOperation reference && _graph.SlotOf(reference.Id) is >= 0 and int captured && _captured.TryGetValue(captured, out ISymbol? behind))
        {
            target = behind;
        }

        if (target is null)
        {
            foreach (IOperation child in assignment.Target.ChildOperations)
            {
                Escape(state, Evaluate(state, child));
            }

            Escape(state, Evaluate(state, assignment.Value));
            return Value.Unknown;
        }

        Value value = Evaluate(state, assignment.Value);
        Store(state, target, value);
        return value;
    }

    /// <summary>Targets of which nothing is known after an operation.</summary>
    private void Overwrite(FlowState state, IOperation target)
    {
        foreach (IOperation operation in target.DescendantsAndSelf())
        {
            if (Looks.Named(operation) is { } symbol && _graph.SlotOf(symbol) is >= 0 and int slot)
            {
                Escape(state, state[slot]);
                state[slot] = Value.Unknown;
                Forget(state, slot);
            }
        }
    }

    /// <summary>Gives a local a value. What only it held before is lost.</summary>
    private void Store(FlowState state, ISymbol target, Value value)
    {
        int slot = _graph.SlotOf(target);
        if (slot < 0 || !IsFollowed(target))
        {
            Escape(state, value);
            return;
        }

        Value before = state[slot];
        SetSlot(state, slot, value);
        Forget(state, slot);
        if (before.Releases && before.Token != value.Token && !state.IsHeld(before.Token))
        {
            // `handle = handle.Get()`: equal handles of one page, to be put together by their number.
            bool isOneMore = value.Releases && _sites[value.Token / 2].From == before.Token / 2;
            if (state.Token(before.Token).Is(Status.Owned) && !isOneMore)
            {
                ReportOverwritten(before.Token, slot);
            }

            if (state.Token(before.Token).Status == Status.Owned)
            {
                state.SetToken(before.Token, new TokenState(Status.Escaped));
            }
        }

        if (before.Token >= 0 && before.Token != value.Token)
        {
            Settle(state, before.Token);
        }
    }

    private Value Change(FlowState state, IOperation operation)
    {
        IOperation target = operation.ChildOperations.First();
        foreach (IOperation child in operation.ChildOperations)
        {
            Value value = Evaluate(state, child);
            if (child != target)
            {
                Escape(state, value);
            }
        }

        // p += 4 is an address in the same memory; a flag |= is any flag.
        if (Looks.Named(target) is { } symbol && _graph.SlotOf(symbol) is >= 0 and int slot)
        {
            if (state[slot].Kind != ValueKind.Pointer)
            {
                state[slot] = Value.Unknown;
            }

            Forget(state, slot);
        }

        return Value.Unknown;
    }
}
