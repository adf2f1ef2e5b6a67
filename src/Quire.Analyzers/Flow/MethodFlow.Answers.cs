using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Quire.Analyzers.Flow;

/// <content>Branches: which way can be gone, what the answer says, and what it makes doubtful.</content>
internal sealed partial class MethodFlow
{
    /// <summary>The state where a branch is answered so; null where that can't be.</summary>
    private FlowState? Assume(BasicBlock block, FlowState state, Value value, bool answer)
    {
        bool isRemembered = _graph.Conditions.TryGet(block, out int condition, out bool isTurned);
        bool? known = value.IsBool ? value.Kind == ValueKind.True
            : isRemembered && state.Fact(condition) is { } fact ? fact ^ isTurned
            : null;
        if (known is { } certain && certain != answer)
        {
            return null;
        }

        FlowState next = state.Copy();
        if (known is null)
        {
            if (isRemembered)
            {
                next.AddFact(condition, answer ^ isTurned);
            }

            Refine(next, block.BranchValue, answer);
        }

        if (block.BranchValue is not { ConstantValue.HasValue: true })
        {
            Doubt(next, block, value.IsBool ? value.Token : -1);
        }

        return next;
    }

    /// <summary>
    /// At a branch: notes how each reference came in, and doubts those that came in differently and on which it decides. What is known of the answer is no help,
    /// since a path with that knowledge may be none that runs; only of the reference that the answer itself tells of it holds on every path.
    /// </summary>
    private void Doubt(FlowState state, BasicBlock block, int told)
    {
        for (int token = 0; token < Math.Max(state.Tokens, _sites.Count * 2); token++)
        {
            TokenState now = state.Token(token);
            int stands = state.Standing(token);
            if (!_incoming.TryGetValue((token, block.Ordinal), out (int First, bool Varies) seen))
            {
                _incoming[(token, block.Ordinal)] = (stands, false);
            }
            else if (seen.First != stands)
            {
                _incoming[(token, block.Ordinal)] = (seen.First, true);
            }

            if (now.Status is Status.Owned or Status.Released && !now.IsDoubtful && token != told && _varies.Contains((token, block.Ordinal)) && Decides(block, token))
            {
                state.SetToken(token, new TokenState(now.Status, isDoubtful: true, now.ReleasedBy));
            }
        }
    }

    private bool Decides(BasicBlock branch, int token)
    {
        TokenSite site = _sites[token / 2];
        foreach (int block in _graph.DecidedBy(branch))
        {
            if (_graph.Contains(block, site.Syntax) || _graph.TouchedBy(block).Overlaps(site.Slots))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes down what an answer says of the locals in its question.</summary>
    private void Refine(FlowState state, IOperation? question, bool answer)
    {
        switch (question)
        {
            case IParenthesizedOperation parenthesized:
                Refine(state, parenthesized.Operand, answer);
                break;
            case IUnaryOperation { OperatorKind: UnaryOperatorKind.Not } not:
                Refine(state, not.Operand, !answer);
                break;
            case IIsNullOperation isNull when answer:
                RefineNull(state, isNull.Operand);
                break;
            case IIsPatternOperation { Pattern: IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: null } } } pattern when answer:
                RefineNull(state, pattern.Value);
                break;
            case IIsPatternOperation { Pattern: INegatedPatternOperation { Pattern: IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: null } } } } pattern when !answer:
                RefineNull(state, pattern.Value);
                break;
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Equals } equal when answer:
                RefineNull(state, equal);
                break;
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.NotEquals } different when !answer:
                RefineNull(state, different);
                break;
            case ILocalReferenceOperation or IParameterReferenceOperation or IFlowCaptureReferenceOperation:
                int slot = SlotOf(question);
                if (slot >= 0 && question.Type?.SpecialType == SpecialType.System_Boolean && (_graph.NameOf(slot) is not { } name || IsFollowed(name)))
                {
                    state[slot] = Value.Of(answer);
                }

                break;
            case IPropertyReferenceOperation { Property.Name: "IsAlive", Instance: { } instance } when !answer:
                RefineNull(state, instance);
                break;
        }
    }

    private void RefineNull(FlowState state, IBinaryOperation comparison)
    {
        if (IsNothing(comparison.RightOperand))
        {
            RefineNull(state, comparison.LeftOperand);
        }
        else if (IsNothing(comparison.LeftOperand))
        {
            RefineNull(state, comparison.RightOperand);
        }

        static bool IsNothing(IOperation operation) =>
            operation is IDefaultValueOperation || operation.ConstantValue is { HasValue: true, Value: null } || (operation is IConversionOperation conversion && IsNothing(conversion.Operand));
    }

    private void RefineNull(FlowState state, IOperation operand)
    {
        while (operand is IConversionOperation { OperatorMethod: null } conversion)
        {
            operand = conversion.Operand;
        }

        int slot = SlotOf(operand);
        if (slot < 0 || (_graph.NameOf(slot) is { } name && !IsFollowed(name)))
        {
            return;
        }

        Value value = state[slot];
        if (value.Kind is ValueKind.Unknown or ValueKind.Owner)
        {
            state[slot] = Value.Null;
            if (value.Token >= 0 && state.Token(value.Token).Status is Status.Foreign)
            {
                Settle(state, value.Token);
            }
        }
    }
}
